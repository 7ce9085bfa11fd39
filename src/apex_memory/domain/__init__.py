"""What we talk about: frozen values, identities and errors; no I/O, no framework but pydantic."""
