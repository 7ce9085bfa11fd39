"""A batch in, its end out: the order of things, deterministic and without I/O."""
