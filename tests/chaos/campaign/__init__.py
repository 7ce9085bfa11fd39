"""Faults, real services and clients in; a history, its verdict and a report out."""
