"""Qdrant's REST protocol in, answers of its embedded engine out; the unmodified client cannot tell."""
