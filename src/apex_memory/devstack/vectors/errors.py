"""What the engine raises and what a request lacks in, refusals with Qdrant's status codes out."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar, Final

from apex_memory.domain.errors import ApexError

# The engine raises bare `Exception`; its text is all there is. A text that no line here knows is the
# engine's own failure: taken for a bad request, it would make a caller give up a write that may yet succeed.
_CALLERS_FAULT: Final = (
    "Vector dimension error",
    "Not existing vector name error",
    "Wrong usage of",
    "No appropriate index",
    "No range index",
    "Validation failed",
    "Payload type error",
    "Unable to infer type",
)


class Refusal(ApexError):
    """A request that is not granted. `status` is the HTTP status that Qdrant answers."""

    status: ClassVar[int] = 500


class BadRequest(Refusal):
    status = 400

    def __init__(self, problem: str) -> None:
        super().__init__(f"Wrong input: {problem}")


class NotFound(Refusal):
    status = 404

    def __init__(self, missing: str) -> None:
        super().__init__(f"Not found: {missing}")


class AlreadyExists(Refusal):
    status = 409

    def __init__(self, collection: str) -> None:
        super().__init__(f"Wrong input: Collection `{collection}` already exists!")


class NotSupported(Refusal):
    """Something Qdrant may offer and this service does not; ignoring it would be a silent wrong answer."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"Not supported by the embedded engine: {what}")


class EngineFailed(Refusal):
    """The engine failed on a request that was well-formed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Service internal error: {reason}")


class StorageFailed(Refusal):
    """The disk refused a sync: what was written since the last one may be lost, and is not acknowledged."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Service internal error: writes are stopped until a restart: {reason}")


class RootInUse(ApexError):
    """Another process owns the root directory."""

    def __init__(self, root: str, owner: str) -> None:
        super().__init__(f"{root} is in use by another vector service ({owner}); one process owns a root")


@contextmanager
def refusals() -> Generator[None]:
    """Turn what the engine raises inside the block into a Refusal; the only place that reads its texts.

    Raises:
        BadRequest: the engine could not read a value, or the request contradicts the collection.
        NotFound: a point does not exist.
        EngineFailed: anything else that the engine said.
    """
    try:
        yield
    except (ValueError, OverflowError) as exc:
        raise BadRequest(str(exc)) from exc
    except Exception as exc:
        if type(exc) is not Exception:
            raise
        raise _classified(str(exc)) from exc


def _classified(text: str) -> Refusal:
    if text.startswith("No point with id"):
        return NotFound(text)
    return BadRequest(text) if text.startswith(_CALLERS_FAULT) else EngineFailed(text)
