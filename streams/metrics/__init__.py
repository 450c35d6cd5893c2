"""What a worker measures of itself, and how Prometheus reads it."""
