"""Texts in, vectors out; one module per embedder."""
