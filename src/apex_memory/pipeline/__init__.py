"""The way of data, one folder per stage, in this order."""

from typing import Final

STAGES: Final = (
    "intake",
    "sources",
    "staging",
    "parsing",
    "extraction",
    "embedding",
    "stores",
    "ledger",
    "retrieval",
)
