"""Syncline without its library: sends events and reads results with aiokafka and msgpack alone, by docs/contract.md.

    pip install aiokafka msgpack
    python client.py send lobby --image door.png --text "door opens" --audio bell.flac
    python client.py read --count 1

Both print one line of JSON for each record. Exit codes: 0 done; 1 the broker, its topics or a file do not allow it;
2 wrong arguments; 3 a result of a newer version of the contract; 4 fewer records came than `--count` asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import re
import ssl
import struct
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgpack
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

CONTRACT_VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESULT_TOPICS = ("results.fused", "unfused", "deadletter")
"""Between them they have exactly one outcome of every event."""
CONTENT_TYPES = {
    "image": {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"},
    "audio": {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"},
}
ARRAY_ITEMS = {"|u1": "B", "|i1": "b", "<i2": "h", "<i4": "i", "<i8": "q", "<f2": "e", "<f4": "f", "<f8": "d"}
"""What an array's `dtype` is called by Python's struct."""
MAX_DIMENSIONS, MAX_ARRAY_BYTES = 8, 64 * 2**20
MAX_SEEN_IDS = 100_000
MAX_BATCH_RECORDS = 100


class ClientError(Exception):
    """What ends this program with a message; `exit_code` says which kind it is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


async def send(options: argparse.Namespace) -> None:
    """Send each payload that was given as one event; all are of the same moment."""
    payloads = read_payloads(options)
    if not payloads:
        raise ClientError("nothing to send: give --image, --text or --audio", 2)
    await require_topics(options, [f"media.{modality}" for modality in payloads])
    time_ms = time.time_ns() // 1_000_000 if options.time_ms is None else options.time_ms
    # aiokafka places a key by murmur2, as the contract asks; set partitioner= only if you know that it does, too.
    producer: Any = AIOKafkaProducer(acks="all", **connection(options))
    async with producer:
        for modality, (value, content_type) in payloads.items():
            event_id = str(uuid.uuid4())
            placed = await producer.send_and_wait(
                f"{options.prefix}media.{modality}",
                value,
                key=options.stream.encode(),
                headers=event_headers(options, modality, event_id, content_type, time_ms),
            )
            record = {"topic": f"media.{modality}", "partition": placed.partition, "offset": placed.offset}
            print_line({"event_id": event_id, "source": options.source, "time_ms": time_ms, **record})


def event_headers(
    options: argparse.Namespace, modality: str, event_id: str, content_type: str, time_ms: int
) -> list[tuple[str, bytes]]:
    """All that is said of an event: its value is the file itself."""
    headers = {
        "ce_specversion": "1.0",
        "ce_type": f"syncline.media.{modality}.v{CONTRACT_VERSION}",
        "ce_source": options.source,
        "ce_id": event_id,  # unique within the source: send a retry under the same one, and it counts once
        "ce_subject": options.stream,  # the same as the key
        "ce_time": (EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds"),
        "content-type": content_type,
    }
    if modality == "text" and options.language:
        headers["ce_language"] = options.language
    return [(name, value.encode()) for name, value in headers.items()]


def read_payloads(options: argparse.Namespace) -> dict[str, tuple[bytes, str]]:
    """By modality what is to be sent, and its content type."""
    payloads: dict[str, tuple[bytes, str]] = {}
    for modality, types in CONTENT_TYPES.items():
        path: Path | None = getattr(options, modality)
        if path is None:
            continue
        if path.suffix.lower() not in types:
            raise ClientError(f"--{modality} {path}: takes {', '.join(types)}", 2)
        try:
            payloads[modality] = path.read_bytes(), types[path.suffix.lower()]
        except OSError as error:
            raise ClientError(f"--{modality} {path}: {error.strerror}") from error
    if options.text is not None:
        payloads["text"] = options.text.encode(), "text/plain; charset=utf-8"
    return payloads


async def read(options: argparse.Namespace) -> None:
    """Print results as they come, each once, until there are `--count` or none has come for `--idle-s`."""
    await require_topics(options, RESULT_TOPICS)
    consumer: Any = AIOKafkaConsumer(
        *(options.prefix + topic for topic in RESULT_TOPICS),
        group_id=options.group,  # without a group: all partitions, from their start, and nothing is remembered
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **connection(options),
    )
    n_printed, seen = 0, dict[tuple[str, str], None]()
    async with consumer:
        while options.count is None or n_printed < options.count:
            n_wanted = min(MAX_BATCH_RECORDS, (options.count or sys.maxsize) - n_printed)
            batches = await consumer.getmany(timeout_ms=round(options.idle_s * 1000), max_records=n_wanted)
            if not batches:
                break
            for record in (record for records in batches.values() for record in records):
                line = read_record(record.topic.removeprefix(options.prefix), record)
                if line is not None and not is_repeat(seen, line):
                    print_line(line)
                    n_printed += 1
            if options.group:
                await consumer.commit()  # after the work, never before: a crash repeats some results, it loses none
    if options.count is not None and n_printed < options.count:
        raise ClientError(f"{n_printed} of {options.count} came, and none for {options.idle_s} s", 4)


def read_record(topic: str, record: Any) -> dict[str, Any] | None:
    """What a result says, ready to be printed; None, and a warning, where it cannot be read."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    check_version(headers)
    if topic == "deadletter":
        return read_dead_letter(record, headers)
    try:
        # Unknown fields may come at any time: take what you know, and let the others be.
        result: dict[str, Any] = msgpack.unpackb(record.value)
        return read_fused(result) if topic == "results.fused" else {"kind": "unfused", **result}
    except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
        print(f"{topic}/{record.partition}/{record.offset} cannot be read: {error!r}", file=sys.stderr)
        return None


def check_version(headers: dict[str, str]) -> None:
    """A result of a newer version must not be passed over: end here, and read on with a newer client."""
    found = re.fullmatch(r"syncline\..+\.v([1-9][0-9]{0,3})", headers.get("ce_type", ""))
    if found is not None and int(found[1]) > CONTRACT_VERSION:
        raise ClientError(f"a result is of type {headers['ce_type']}: this client knows version {CONTRACT_VERSION}", 3)


def read_fused(result: dict[str, Any]) -> dict[str, Any]:
    """What all sources of a stream say about one moment."""
    return {
        "kind": "fused",
        "id": result["id"],
        "stream": result["stream"],
        "start_ms": result["start_ms"],
        "end_ms": result["end_ms"],
        "outcome": result["outcome"],
        "reason": result["reason"],
        "missing": result["missing"],
        "members": result["members"],
        "labels": result.get("labels", []),
        "embedding": None if result.get("embedding") is None else array_values(result["embedding"]),
        "model": result.get("model"),
        "cut": result.get("cut", []),
    }


def read_dead_letter(record: Any, headers: dict[str, str]) -> dict[str, Any]:
    """Why a record could not be used. Its value and key are the original's, and may be anything at all.

    Mend the cause, and send the originals again: `syncline deadletter retry`.
    """
    return {
        "kind": "deadletter",
        "id": headers.get("ce_id", ""),
        "reason": headers.get("ce_reason", ""),
        "detail": headers.get("ce_detail", ""),
        "source": headers.get("orig.ce_source", ""),
        "event_id": headers.get("orig.ce_id", ""),
        "n_bytes": len(record.value or b""),
    }


def array_values(array: dict[str, Any]) -> list[float]:
    """An array's elements, row by row. With numpy: np.frombuffer(data, dtype).reshape(shape), after the same checks."""
    item, shape, data = ARRAY_ITEMS.get(array["dtype"]), array["shape"], array["data"]
    if item is None or len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError(f"an array of {array['dtype']!r} and shape {shape}")
    n_values = math.prod(shape)
    if n_values * struct.calcsize(item) != len(data) or len(data) > MAX_ARRAY_BYTES:
        raise ValueError(f"an array of shape {shape} of {array['dtype']} has {len(data)} bytes")
    return list(struct.unpack(f"<{n_values}{item}", data))


def is_repeat(seen: dict[tuple[str, str], None], line: dict[str, Any]) -> bool:
    """Whether this result came before: the service writes one again after a crash, under the same id."""
    key = (line["kind"], line["id"])
    if key in seen:
        return True
    seen[key] = None
    if len(seen) > MAX_SEEN_IDS:
        del seen[next(iter(seen))]
    return False


def print_line(line: dict[str, Any]) -> None:
    """One line of JSON, at once."""
    print(json.dumps(line, ensure_ascii=False, default=repr), flush=True)


async def require_topics(options: argparse.Namespace, topics: list[str] | tuple[str, ...]) -> None:
    """Raise where topics are missing. Clients do not make them, and some brokers would, with settings of their own."""
    admin: Any = AIOKafkaAdminClient(**connection(options))
    await admin.start()
    try:
        there = set(await admin.list_topics())
    finally:
        await admin.close()
    if missing := [options.prefix + topic for topic in topics if options.prefix + topic not in there]:
        raise ClientError(f"no topic {', '.join(missing)}: is --prefix right? `syncline topics create` makes them")


def connection(options: argparse.Namespace) -> dict[str, Any]:
    """How aiokafka's clients get to the broker, and in."""
    settings: dict[str, Any] = {"bootstrap_servers": options.brokers, "request_timeout_ms": 15_000}
    if options.tls:
        settings["ssl_context"] = ssl.create_default_context(cafile=options.ca)
    if options.user:
        # Not an argument: `ps` would show it to everybody.
        password = os.environ.get("KAFKA_PASSWORD", "")
        settings |= {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": options.user}
        settings["sasl_plain_password"] = password
    settings["security_protocol"] = ("SASL_" if options.user else "") + ("SSL" if options.tls else "PLAINTEXT")
    return settings


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--brokers", default="localhost:9092", help="host:port, with commas between")
    everywhere.add_argument("--prefix", default="syncline.", help="what all topics' names begin with")
    everywhere.add_argument("--tls", action="store_true", help="encrypt, and check the broker's certificate")
    everywhere.add_argument("--ca", help="PEM file of the authorities to trust; default: the system's")
    everywhere.add_argument("--user", help="for SCRAM-SHA-512; the password is in KAFKA_PASSWORD")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sending = commands.add_parser("send", parents=[everywhere], help="send events of one moment")
    sending.add_argument("stream", help="what the events are about: a room, a camera, a device")
    sending.add_argument("--image", type=Path, help="a .jpg, .png or .webp")
    sending.add_argument("--text")
    sending.add_argument("--audio", type=Path, help="a .wav, .flac or .ogg")
    sending.add_argument("--language", help="of the text, BCP 47: en, zh-Hans")
    sending.add_argument("--source", default="urn:example:python", help="URI of this producer; keep it over restarts")
    sending.add_argument("--time-ms", type=int, help="event time, ms since 1970; default: now")
    reading = commands.add_parser("read", parents=[everywhere], help="print results")
    reading.add_argument("--count", type=int, help="end after so many; default: only --idle-s ends it")
    reading.add_argument("--idle-s", type=float, default=30.0, help="end when none came for so many seconds (30)")
    reading.add_argument("--group", help="a consumer group: go on where it was, share the partitions with others")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the command line; the exit code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what fails is raised, too
    options = read_arguments()
    try:
        asyncio.run({"send": send, "read": read}[options.command](options))
    except ClientError as error:
        print(f"client: {error}", file=sys.stderr)
        return error.exit_code
    except (KafkaError, OSError) as error:
        print(f"client: {options.brokers}: {error!r}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
