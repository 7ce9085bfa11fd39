"""A question in, what is visible at a snapshot out."""
