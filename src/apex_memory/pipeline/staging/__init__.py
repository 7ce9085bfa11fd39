"""Bytes in, a reference out: where payloads rest between activities."""
