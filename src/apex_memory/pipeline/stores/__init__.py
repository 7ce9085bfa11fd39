"""Versioned bundles in, four stores that agree out; one module per store."""
