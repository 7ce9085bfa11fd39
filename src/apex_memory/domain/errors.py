"""What can go wrong, named after what happened; the first branch decides who retries.

ApexError
├── TransientError           the same call may succeed later; Temporal retries it
│   ├── StoreUnavailable       a store did not answer, or answered that it cannot now
│   │   └── CircuitOpen          a store is known to be down and was not asked; says when to ask again
│   ├── RateLimited            a provider said when to come back
│   ├── AllowanceSpent         a sender has sent more than we take from one; says when it may again
│   ├── SourceUnavailable      a source's own API did not answer, or with nothing that is an answer
│   ├── BatchStillOpen         a batch is not over yet, and what waits for its end must wait
│   ├── ManifestMismatch       a store holds other things than the manifest says
│   └── SnapshotBehind         the ledger has not come as far as the reader demands
└── PermanentError           the same call will always fail; nobody retries it
    ├── SettingMissing         a setting is absent or malformed
    ├── RecordRejected         a record cannot be mapped: says what, where, what to do
    ├── DocumentRejected       a document cannot be read: says what, what to do
    ├── QueryRejected          a question cannot be asked: says what, what to do
    ├── DeliveryRefused        a webhook delivery does not prove itself: unsigned, stale, or signed by another
    ├── EndpointDisabled       a webhook endpoint was closed by its owner
    ├── NotConnected           a tenant has given no credentials for a source's own API
    ├── SourceRefused          a source's own API will not serve us: credentials, or the request itself
    ├── AnswerTooLarge         a source's own API answered with more than is read of one answer
    ├── ItemNotFound           no such thing, or not this tenant's
    ├── StagedObjectMissing    a reference points at nothing
    ├── EmbedderMismatch       the data was embedded by another model
    ├── ProviderRefused        a provider will not serve this request: key, quota, or the request itself
    └── DependencyMissing      a program or package that must be installed is not
"""

from collections.abc import Sequence


class ApexError(Exception):
    """Root of every error that this product raises on purpose."""


class TransientError(ApexError):
    """The same call may succeed later."""


class PermanentError(ApexError):
    """The same call will always fail."""


class StoreUnavailable(TransientError):
    """A store did not answer, or answered that it cannot now. The outcome of a write is unknown."""

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__(f"{store} is unavailable: {reason}")


class CircuitOpen(StoreUnavailable):
    """A store is known to be down: it is not asked before `retry_after_s` are over."""

    def __init__(self, store: str, reason: str, *, retry_after_s: float) -> None:
        super().__init__(store, f"{reason}; asked again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class RateLimited(TransientError):
    """A provider refused for now and said when to come back (seconds)."""

    def __init__(self, provider: str, retry_after_s: float) -> None:
        self.provider = provider
        self.retry_after_s = retry_after_s
        super().__init__(f"{provider} is rate limiting; retry in {retry_after_s:.1f} s")


class SourceUnavailable(TransientError):
    """A source's own API did not answer, or with nothing that is an answer."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"the API of {source} is unavailable: {reason}")


class AllowanceSpent(TransientError):
    """A sender has sent more than is taken from one: `burst` at once, `per_s` a second from then on."""

    def __init__(self, policy: str, *, per_s: float, burst: float, retry_after_s: float) -> None:
        self.policy = policy
        self.per_s = per_s
        self.burst = burst
        self.retry_after_s = retry_after_s
        super().__init__(f"more than {per_s:g} a second came in; send again in {retry_after_s:.1f} s")


class SnapshotBehind(TransientError):
    """The newest commit that could be read is older than the one a reader demands."""

    def __init__(self, *, wanted: int, found: int) -> None:
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"the newest commit is {found}, the reader demands {wanted}; "
            "ask again, with a token that an ingestion of this tenant returned"
        )


class SettingMissing(PermanentError):
    """A setting is absent or malformed."""

    def __init__(self, problems: Sequence[str], *, env_file: str) -> None:
        self.problems = tuple(problems)
        lines = "\n  ".join(problems)
        super().__init__(
            f"these settings are missing or malformed:\n  {lines}\n"
            f"Set them in the environment or in {env_file} (`apex dev up` writes that file)."
        )


class RecordRejected(PermanentError):
    """A record cannot be mapped. `pointer` is a JSON pointer into the record."""

    def __init__(self, source: str, pointer: str, problem: str) -> None:
        self.source = source
        self.pointer = pointer
        self.problem = problem
        super().__init__(f"{source} record, at {pointer or '/'}: {problem}")


class DocumentRejected(PermanentError):
    """A document cannot be read."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"document {name!r}: {problem}")


class QueryRejected(PermanentError):
    """A question cannot be asked. `problem` says what is wrong with it and what to do."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"this query cannot be answered: {problem}")


class DeliveryRefused(PermanentError):
    """A webhook delivery does not prove itself. `problem` says why, and nothing that helps to forge one."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"this delivery is refused: {problem}")


class EndpointDisabled(PermanentError):
    """Its owner has closed this webhook endpoint: its sender need not try again."""

    def __init__(self, endpoint_id: str) -> None:
        self.endpoint_id = endpoint_id
        super().__init__("this endpoint is disabled")


class NotConnected(PermanentError):
    """The tenant has given no credentials for this source's own API."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__(f"there is no connection to {source}; `apex connections set {source}` makes one")


class SourceRefused(PermanentError):
    """A source's own API will not serve this request, however often it is asked. `status` is HTTP's."""

    def __init__(self, source: str, status: int) -> None:
        self.source = source
        self.status = status
        super().__init__(f"the API of {source} refused with status {status}")


class AnswerTooLarge(PermanentError):
    """A source's own API answered with more than is read of one answer: bytes, or levels of nesting."""

    def __init__(self, source: str, limit: str) -> None:
        self.source = source
        self.limit = limit
        super().__init__(f"the API of {source} answered with more than {limit}")


class ItemNotFound(PermanentError):
    """No such thing, or not this tenant's: the two are not told apart."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind = kind
        self.key = key
        super().__init__(f"no {kind} {key!r}")


class StagedObjectMissing(PermanentError):
    """A reference into the staging area points at nothing."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"nothing is staged at {key!r}; it may have been cleaned up")


class EmbedderMismatch(PermanentError):
    """The data was embedded by another model; mixing vector spaces would corrupt every search."""

    def __init__(self, *, stored: str, configured: str) -> None:
        self.stored = stored
        self.configured = configured
        super().__init__(
            f"the data was embedded by {stored!r} but {configured!r} is configured; "
            "configure the stored embedder again, or start with an empty database"
        )


class ProviderRefused(PermanentError):
    """A provider will not serve this request, however often it is asked."""

    def __init__(self, provider: str, reason: str) -> None:
        self.provider = provider
        self.reason = reason
        super().__init__(f"{provider} refused: {reason}")


class ManifestMismatch(TransientError):
    """A store holds other things for a version than its manifest says; preparing again mends it."""

    def __init__(self, store: str, item_id: str, version: int, *, expected: int, found: int) -> None:
        self.store = store
        self.item_id = item_id
        self.version = version
        self.expected = expected
        self.found = found
        super().__init__(
            f"{store} holds {found} of {expected} parts of item {item_id} version {version}, or wrong ones"
        )


class BatchStillOpen(TransientError):
    """Work that must come after a batch finds it still under way."""

    def __init__(self, batches: int, versions: int) -> None:
        self.batches = batches
        self.versions = versions
        super().__init__(f"{batches} batches are still open, and {versions} versions undecided")


class DependencyMissing(PermanentError):
    """A program or package that must be installed is not. `remedy` is the exact command."""

    def __init__(self, name: str, remedy: str) -> None:
        self.name = name
        self.remedy = remedy
        super().__init__(f"{name} is not installed; install it with:\n  {remedy}")
