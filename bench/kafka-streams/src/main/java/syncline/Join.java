package syncline;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;

/**
 * Two chained stream-stream joins over the three media topics, by event time.
 *
 * <p>Each value begins with its moment's number; a result is the numbers of its members, so that whoever reads it can
 * tell a moment from a mixture. Arguments: brokers, topic prefix, output topic, state folder, tolerance in ms.
 */
public final class Join {
    private static final int ID_BYTES = 8;

    public static void main(String[] arguments) {
        String prefix = arguments[1];
        JoinWindows window = JoinWindows.ofTimeDifferenceAndGrace(
                Duration.ofMillis(Long.parseLong(arguments[4])), Duration.ofSeconds(1));
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, byte[]> image = builder.stream(prefix + "media.image");
        KStream<String, byte[]> text = builder.stream(prefix + "media.text");
        KStream<String, byte[]> audio = builder.stream(prefix + "media.audio");
        image.join(text, (left, right) -> concat(id(left), id(right)), window)
                .join(audio, (left, right) -> concat(left, id(right)), window)
                .to(arguments[2]);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(arguments));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(5))));
        streams.start();
    }

    private static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        return settings;
    }

    private static byte[] id(byte[] value) {
        return Arrays.copyOf(value, ID_BYTES);
    }

    private static byte[] concat(byte[] left, byte[] right) {
        byte[] both = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, both, left.length, right.length);
        return both;
    }
}
