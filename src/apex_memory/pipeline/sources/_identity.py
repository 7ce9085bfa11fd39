"""What one delivery body names of itself in, its identity out; nothing here fails, whatever the body is."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from apex_memory.domain.hooks import Fate, Identity
from apex_memory.pipeline.sources._wording import stamp

#: What people call a delivery that does not say what it is about.
NAMELESS: Final = "record"


def by_business_id(key: str | None, at: datetime | None, *, digest: str) -> Identity:
    """A plain record is the same again if it speaks of the same thing at the same time.

    Without a time it may have changed since: then only the same bytes are the same again.
    """
    known = f"{key}@{stamp(at)}" if key and at else digest
    return Identity(dedupe_key=known, label=key or NAMELESS, fate=Fate.INGEST, at=at)


def by_digest(
    digest: str, *, label: str = NAMELESS, fate: Fate = Fate.INGEST, at: datetime | None = None
) -> Identity:
    return Identity(dedupe_key=digest, label=label, fate=fate, at=at)


def hash_of(parts: Sequence[str | None], *, digest: str) -> str:
    """SHA-256 over the parts, joined by `|`; `digest` if one is missing or holds the separator itself."""
    known = [part for part in parts if part and "|" not in part]
    if len(known) < len(parts):
        return digest
    return hashlib.sha256("|".join(known).encode("utf-8", "surrogatepass")).hexdigest()
