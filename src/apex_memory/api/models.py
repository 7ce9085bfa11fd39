"""The shapes that cross HTTP: what a caller may send, and what they get beyond the domain's own answers."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.bundles import EntityRef, ItemKind
from apex_memory.domain.forgetting import Forgetting
from apex_memory.domain.ledger import Ingestion
from apex_memory.domain.value import Value

MAX_WAIT_S: Final = 30.0
_MAX_SEQ: Final = 2**63 - 1


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("the character U+0000 cannot be stored or searched for")
    return text


def _example(**fields: JsonValue) -> ConfigDict:
    extra: JsonDict = {"example": fields}
    return ConfigDict(json_schema_extra=extra)


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[Text, Field(min_length=1, max_length=256)]
Seq = Annotated[int, Field(ge=0, le=_MAX_SEQ)]


class RecordIn(Value):
    """One JSON object, as its source shapes it."""

    model_config = _example(
        source="turvo",
        record={
            "shipmentId": "SHIP-2025-10-19-002",
            "customerName": "Acme Corp",
            "status": "in_transit",
        },
    )

    source: Name = Field(description="who sends it: samsara, turvo, frontapp, or a name of your own")
    record: dict[str, Any]


class IngestionAccepted(Value):
    """It is kept, durably. How it fares is told at `status_url`."""

    model_config = _example(
        ingestion_id="0b0a3c52-9d0c-4f6e-8f0e-3a2f6f6f5d11",
        status_url="/v1/ingestions/0b0a3c52-9d0c-4f6e-8f0e-3a2f6f6f5d11",
        duplicate=False,
    )

    ingestion_id: UUID
    status_url: str
    duplicate: bool = Field(description="this Idempotency-Key was taken in before, and nothing was added")


class IngestionStatus(Ingestion):
    """How far an accepted event has come. `seq`, once it is there, is the `min_seq` to search with."""

    temporal_url: str | None = Field(default=None, description="its workflow in the Temporal UI")


class ForgettingAccepted(Value):
    """Nobody reads the item any more. How far its erasure has come is told at `status_url`."""

    model_config = _example(
        forget_id="5e0d2b3c-6a0f-5b7e-9d43-0c4c1b1f6b11",
        item_id="a1bb5758-1526-5ba5-947f-a222b2545f8a",
        seq=42,
        status_url="/v1/forgettings/5e0d2b3c-6a0f-5b7e-9d43-0c4c1b1f6b11",
    )

    forget_id: UUID
    item_id: UUID
    seq: int = Field(description="the commit from which on no reader sees the item")
    status_url: str


class ForgettingStatus(Forgetting):
    """How far a request to forget has come. Once `state` is `done`, this is the receipt."""

    temporal_url: str | None = Field(default=None, description="its workflow in the Temporal UI")


class EntityIn(Value):
    """An identity by its business key."""

    type: Name
    key: Name


class SearchIn(Value):
    """A question, and what its answer is narrowed to: every filter that is set must match."""

    model_config = _example(
        query="Which customer's delivery did dispatch confirm?",
        limit=5,
        sources=["frontapp", "turvo"],
        entity={"type": "shipment", "key": "SHIP-2025-10-19-002"},
    )

    query: Annotated[Text, Field(min_length=1, max_length=2000)]
    # Strict, as the description says: neither "5" nor true is a number.
    limit: Annotated[int, Field(strict=True, ge=1, le=100)] = 10
    min_seq: Annotated[Seq, Field(strict=True)] | None = Field(
        default=None, description="answer no older than this commit: the `seq` that an ingestion returned"
    )
    sources: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    kinds: Annotated[tuple[ItemKind, ...], Field(max_length=2)] = ()
    entity: EntityIn | None = None

    def where(self) -> SearchFilter:
        entity = EntityRef(type=self.entity.type, key=self.entity.key) if self.entity else None
        return SearchFilter(sources=self.sources, kinds=self.kinds, entity=entity)


class Alive(Value):
    status: str = "alive"


class Readiness(Value):
    """`degraded` names what is down and costs speed only."""

    status: str = "ready"
    degraded: tuple[str, ...] = ()


class ProblemDetail(Value):
    """One thing that is wrong: at `pointer` (RFC 6901) into the body, or in a parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """RFC 9457. More members may come with time: ignore those you do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[ProblemDetail, ...] | None = None
    violated_policies: tuple[str, ...] | None = Field(
        default=None, alias="violated-policies", description="which limits were reached, with status 429"
    )
