"""A worker's health for others: liveness, readiness, metrics and their web server."""
