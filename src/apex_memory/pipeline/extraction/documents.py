"""A parsed document and its passages in, the document's bundle out."""

from collections.abc import Sequence
from datetime import datetime

from apex_memory.domain.bundles import Bundle, EntityRef, Mention
from apex_memory.domain.documents import ParsedDocument, Passage


def document_bundle(
    document: ParsedDocument,
    passages: Sequence[Passage],
    *,
    source: str,
    external_id: str,
    as_of: datetime,
) -> Bundle:
    """A bundle that mentions the document itself, under its title; what it names is added by an extractor."""
    title = document.title or external_id
    itself = Mention(entity=EntityRef(type="document", key=external_id), name=title)
    return Bundle(
        source=source,
        external_id=external_id,
        kind="document",
        title=title,
        as_of=as_of,
        passages=tuple(passages),
        mentions=(itself,),
    )
