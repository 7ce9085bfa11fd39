"""What rests in the staging area between two activities: the records, bundles and vectors of one batch."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.value import Value

RECORDS: Final = "records.json"
ORIGINAL: Final = "original"
UPLOAD: Final = "upload.json"
BUNDLES: Final = "bundles.json"
VECTORS: Final = "vectors.npy"
FAILED: Final = "FAILED"
#: In a folder of its own, named by the event, until its batch takes it.
UPLOADED: Final = "upload"


class StagedRecord(Value):
    """One JSON object as it arrived."""

    event_id: UUID
    received_at: datetime
    record: dict[str, Any]


class StagedUpload(Value):
    """A document's event: where its bytes were put when it was accepted."""

    event_id: UUID
    received_at: datetime
    external_id: str
    name: str
    media_type: str
    size: int
    sha256: str
    staged: str


class StagedBundle(Value):
    """What an event says, ready to be embedded and written."""

    event_id: UUID
    bundle: Bundle


_RECORDS: Final = TypeAdapter(tuple[StagedRecord, ...])
_BUNDLES: Final = TypeAdapter(tuple[StagedBundle, ...])


def dump_records(records: Sequence[StagedRecord]) -> bytes:
    return _RECORDS.dump_json(tuple(records))


def load_records(data: bytes) -> tuple[StagedRecord, ...]:
    return _RECORDS.validate_json(data)


def dump_bundles(bundles: Sequence[StagedBundle]) -> bytes:
    return _BUNDLES.dump_json(tuple(bundles))


def load_bundles(data: bytes) -> tuple[StagedBundle, ...]:
    return _BUNDLES.validate_json(data)


def dump_vectors(vectors: NDArray[np.float32]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()


def load_vectors(data: bytes) -> NDArray[np.float32]:
    """One row a passage, in the order of the bundles and their passages."""
    return np.load(BytesIO(data), allow_pickle=False)
