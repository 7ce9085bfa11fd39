"""Webhook deliveries in, the secrets that they were made with out; one module per scheme."""
