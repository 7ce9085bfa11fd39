"""One suite a port, as classes to inherit: the in-memory and the real implementation pass the same tests."""
