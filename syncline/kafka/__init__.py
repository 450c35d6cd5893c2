"""What all clients of Kafka share: getting in, topics, reading what careless producers wrote."""
