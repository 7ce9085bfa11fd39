"""HTTP in, HTTP out: thin, and the one place that knows status codes."""
