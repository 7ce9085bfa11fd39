"""Bytes in, text and passages out; one module per document format."""
