"""Deliveries in, batches for workflows out."""
