"""How a worker does, as others see it: the web server, readiness, liveness."""
