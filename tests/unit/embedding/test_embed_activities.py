"""What a batch's passages are embedded as, and how often the model is asked."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from apex_memory.activities.embed import EmbedActivities
from apex_memory.domain.bundles import Bundle
from apex_memory.domain.documents import Passage
from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS, StagedBundle, dump_bundles, load_vectors
from apex_memory.pipeline.sources.registry import source_named
from apex_memory.testing import MemoryStaging

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Model:
    """Remembers what it was asked; no two texts have the same vector."""

    id, dim, max_tokens = "model", 4, 254

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        begun = len(self.asked)
        self.asked += texts
        return np.array([[begun + n] * self.dim for n in range(len(texts))], np.float32)

    async def aclose(self) -> None: ...


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def staging() -> MemoryStaging:
    return MemoryStaging()


async def embedded(
    activities: EmbedActivities, staging: MemoryStaging, bundles: Sequence[Bundle], *, tenant: str = "acme"
) -> list[float]:
    """The first number of each vector."""
    key = f"{tenant}/samsara/{uuid4()}"
    staged = StagedBatch(tenant_id=tenant, source="samsara", batch_id=uuid4(), key=key, items=len(bundles))
    kept = [StagedBundle(event_id=uuid4(), bundle=bundle) for bundle in bundles]
    await staging.write(f"{key}/{BUNDLES}", dump_bundles(kept))
    await activities.generate_embeddings_from_json_activity(staged)
    return [float(vector[0]) for vector in load_vectors(await staging.read(f"{key}/{VECTORS}"))]


async def test_a_text_is_embedded_once_a_tenant(model: Model, staging: MemoryStaging) -> None:
    activities = EmbedActivities(staging=staging, embedder=model)
    moving, parked = saying("is moving"), saying("is parked")

    first = await embedded(activities, staging, [moving, parked, moving])
    again = await embedded(activities, staging, [parked, moving])
    other = await embedded(activities, staging, [moving], tenant="globex")

    assert first == [0, 1, 0]
    assert again == [1, 0]
    assert other == [2], "what one tenant says must not tell another how fast it was answered"
    assert len(model.asked) == 3


async def test_a_batch_without_passages_has_no_vectors(model: Model, staging: MemoryStaging) -> None:
    activities = EmbedActivities(staging=staging, embedder=model)

    assert await embedded(activities, staging, []) == []


def test_two_positions_of_a_vehicle_at_one_place_are_embedded_as_one() -> None:
    first, second = (
        position(latitude=41.8781 + n / 1000, timestamp=f"2026-11-21T12:0{n}:00Z", speed_mph=50 + n)
        for n in range(2)
    )

    assert text_of(first) == text_of(second)
    assert first.passages[0].text != second.passages[0].text
    assert "TRUCK-7" in text_of(first)


def test_a_records_further_fields_are_kept_as_text_and_not_embedded() -> None:
    bundle = position(odometer_reading_source="engine computer")

    assert "engine computer" in bundle.passages[0].text
    assert "engine computer" not in text_of(bundle)


def test_how_a_passage_is_embedded_is_no_content() -> None:
    bundle = position()
    (passage,) = bundle.passages
    whole = bundle.model_copy(update={"passages": (passage.model_copy(update={"worded": None}),)})

    assert whole.content_hash() == bundle.content_hash()


def test_a_passage_of_nothing_but_fields_is_embedded_by_its_first() -> None:
    text = "data.plate: ABC-1\ndata.colour: red"
    passage = Passage(ordinal=1, text=text, start=90, end=90 + len(text), worded=0)

    assert text_of(saying("is moving").model_copy(update={"passages": (passage,)})).endswith(
        "data.plate: ABC-1"
    )


def saying(words: str) -> Bundle:
    return Bundle(
        source="samsara",
        external_id=words,
        kind="record",
        title="Truck 7",
        as_of=NOW,
        passages=(Passage(ordinal=0, text=words, start=0, end=len(words), worded=len(words)),),
    )


def position(**fields: object) -> Bundle:
    record = {
        "vehicle_id": "TRUCK-7",
        "latitude": 41.8781,
        "longitude": -87.6298,
        "timestamp": "2026-11-21T12:00:00Z",
        **fields,
    }
    return source_named("samsara").map_record(record, received_at=NOW)


def text_of(bundle: Bundle) -> str:
    return bundle.embedded_text(bundle.passages[0])
