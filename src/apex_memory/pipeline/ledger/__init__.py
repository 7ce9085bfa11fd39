"""Allocation and commit in, the order of versions out."""
