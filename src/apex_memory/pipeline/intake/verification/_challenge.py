"""A delivery in, no challenge out: for senders that never test who receives."""

from apex_memory.domain.hooks import Delivery


class Unasked:
    """The half of the port `Scheme` that is the same for most."""

    def challenge(self, delivery: Delivery) -> str | None:  # noqa: ARG002 - the port's
        return None
