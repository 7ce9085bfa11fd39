"""Versioned bundles in, a part of them out: what a write that broke off has done."""

from collections.abc import Sequence
from dataclasses import replace

from apex_memory.domain.bundles import VersionedBundle


def half_of_each(writes: Sequence[VersionedBundle]) -> Sequence[VersionedBundle]:
    """The first half of the writes, each with the first half of its parts: a batch torn at every level."""
    return [_half(write) for write in writes[: (len(writes) + 1) // 2]]


def _half(write: VersionedBundle) -> VersionedBundle:
    bundle = write.bundle
    passages = bundle.passages[: len(bundle.passages) // 2]
    kept = {
        "passages": passages,
        "mentions": bundle.mentions[: len(bundle.mentions) // 2],
        "claims": bundle.claims[: len(bundle.claims) // 2],
        "samples": bundle.samples[: len(bundle.samples) // 2],
    }
    return replace(write, bundle=bundle.model_copy(update=kept), vectors=write.vectors[: len(passages)])
