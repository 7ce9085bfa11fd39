"""What a rule reads out of a record in, claims and mentions out: each cites the record's one passage."""

from collections.abc import Iterable
from datetime import datetime

from apex_memory.domain.bundles import Claim, EntityRef, Mention


def claim(
    subject: Mention,
    predicate: str,
    said: EntityRef | str,
    words: str,
    *,
    since: datetime | None,
    until: datetime | None = None,
) -> Claim:
    """`words` follow on the subject's name. `since` of None means the version's `as_of`."""
    return Claim(
        subject=subject.entity,
        predicate=predicate,
        object=said if isinstance(said, EntityRef) else None,
        value=said if isinstance(said, str) else None,
        fact=f"{subject.name} {words}",
        valid_from=since,
        valid_to=until,
        passage=0,
    )


def mentioned(named: Iterable[Mention | None], claims: Iterable[Claim] = ()) -> tuple[Mention, ...]:
    """Each entity once, under the first name it is given; what only claims speak of goes by its key."""
    mentions: dict[EntityRef, Mention] = {}
    for mention in named:
        if mention:
            mentions.setdefault(mention.entity, mention)
    for said in claims:
        for entity in (said.subject, said.object):
            if entity:
                mentions.setdefault(entity, Mention(entity=entity, name=entity.key))
    return tuple(mentions.values())
