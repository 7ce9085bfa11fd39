"""A folder in, the real services on this machine out, without containers."""
