"""A bundle in, the same bundle with every identifier that its text names as a mention and a claim out."""

from collections.abc import Iterator
from typing import Final

import structlog

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.domain.ids import entity_key
from apex_memory.pipeline.extraction.identifiers import Found, identifiers_in

MAX_IDENTIFIERS: Final = 256
MAX_FACT_NAME: Final = 200

_log = structlog.get_logger()


class RuleExtractor:
    """Reads passages, then the title; needs no model, and finds the same in the same text."""

    def enrich(self, bundle: Bundle) -> Bundle:
        """Add what is named and not yet mentioned, in the order of the text; the rest stays as it is.

        Claims point at the passage that names the identifier first, so passages must be cut to size before.
        """
        named = list(_named_anew(bundle))
        if len(named) > MAX_IDENTIFIERS:
            _log.warning("extraction.identifiers_cut", source=bundle.source, kept=MAX_IDENTIFIERS)
            del named[MAX_IDENTIFIERS:]
        subject = _subject_of(bundle)
        mentions = tuple(Mention(entity=found.entity, name=found.name) for found, _ in named)
        claims = tuple(_mentions(subject, found, ordinal) for found, ordinal in named)
        return bundle.model_copy(
            update={"mentions": bundle.mentions + mentions, "claims": bundle.claims + claims}
        )


def _subject_of(bundle: Bundle) -> Mention:
    """By convention an item's first mention is the item itself."""
    if bundle.mentions:
        return bundle.mentions[0]
    return Mention(entity=EntityRef(type=bundle.kind, key=bundle.external_id), name=bundle.title)


def _named_anew(bundle: Bundle) -> Iterator[tuple[Found, int | None]]:
    """Each new identifier once, with the passage that names it; stops one after the limit."""
    known = {_identity(mention.entity) for mention in bundle.mentions}
    left = MAX_IDENTIFIERS + 1
    for text, ordinal in (*((p.text, p.ordinal) for p in bundle.passages), (bundle.title, None)):
        for found in identifiers_in(text):
            if (identity := _identity(found.entity)) in known:
                continue
            known.add(identity)
            yield found, ordinal
            left -= 1
            if not left:
                return


def _identity(entity: EntityRef) -> tuple[str, str]:
    return entity.type, entity_key(entity.key)


def _mentions(subject: Mention, found: Found, ordinal: int | None) -> Claim:
    return Claim(
        subject=subject.entity,
        predicate="mentions",
        object=found.entity,
        fact=f"{subject.name[:MAX_FACT_NAME]} mentions {found.entity.key}",
        passage=ordinal,
    )
