"""Settings in, opened clients wired to each other out; what is opened here is closed here."""
