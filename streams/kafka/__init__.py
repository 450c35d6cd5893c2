"""Faust and Kafka: records in, offsets back, the decision log, results out."""
