"""Lists of signatures, families of headers and ids, as Standard Webhooks has them."""

import pytest
from tests.unit.hooks.senders import SECONDS, secret_of, standard, svix, verdict

from apex_memory.domain.hooks import Delivery
from apex_memory.pipeline.intake.verification.registry import scheme_named

STANDARD = scheme_named("standard")
OLD, NEW, OTHER = (secret_of(bytes([n]) * 32) for n in (1, 2, 3))
BODY = b'{"type":"a.b"}'
OLD_HEADERS, NEW_HEADERS, OTHER_HEADERS = (standard(s.text, BODY, SECONDS) for s in (OLD, NEW, OTHER))
BY_OLD, BY_NEW, BY_OTHER = (h["webhook-signature"] for h in (OLD_HEADERS, NEW_HEADERS, OTHER_HEADERS))


def delivery(**changed: str) -> Delivery:
    headers = {**NEW_HEADERS, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return Delivery(headers=headers, body=BODY)


@pytest.mark.parametrize(
    "listed",
    [
        f"{BY_OTHER} {BY_NEW}",
        f"{BY_NEW} {BY_OTHER}",
        f"v1a,c2lnbmF0dXJl v2,x {BY_NEW}",
        f"  {BY_NEW}  nonsense",
        f"v1, {BY_NEW}",
    ],
)
def test_one_genuine_signature_in_the_list_is_enough(listed: str) -> None:
    assert verdict(STANDARD, delivery(webhook_signature=listed), [OLD, NEW]) == NEW.secret_id


def test_of_two_genuine_signatures_the_first_live_secret_is_named() -> None:
    both = delivery(webhook_signature=f"{BY_NEW} {BY_OLD}")

    assert verdict(STANDARD, both, [OLD, NEW]) == OLD.secret_id
    assert verdict(STANDARD, both, [NEW, OLD]) == NEW.secret_id


@pytest.mark.parametrize(
    "listed",
    ["v1a,c2lnbmF0dXJl", BY_NEW.replace("v1,", "v2,"), BY_NEW.removeprefix("v1,"), "v1", "V1,x", "   "],
)
def test_a_list_without_a_known_version_is_refused(listed: str) -> None:
    found = verdict(STANDARD, delivery(webhook_signature=listed), [NEW])

    assert found == "its signature is of no version that is known"


@pytest.mark.parametrize(
    "signature",
    [
        BY_NEW.rstrip("="),
        BY_NEW + "=",
        BY_NEW + "A",
        "v1,",
        "v1,!",
        f"v1,{BY_NEW}",
        BY_NEW.replace(",", ",,"),
    ],
)
def test_a_signature_counts_in_one_spelling_only(signature: str) -> None:
    found = verdict(STANDARD, delivery(webhook_signature=signature), [NEW])

    assert found == "its signature matches none of its endpoint's live secrets"


def test_the_older_names_of_the_headers_are_read_if_there_are_no_others() -> None:
    older = svix(NEW.text, BODY, SECONDS)

    assert verdict(STANDARD, Delivery(headers=older, body=BODY), [NEW]) == NEW.secret_id
    assert verdict(STANDARD, Delivery(headers={**older, **NEW_HEADERS}, body=BODY), [NEW]) == NEW.secret_id


def test_the_headers_of_two_families_are_not_mixed() -> None:
    older = svix(NEW.text, BODY, SECONDS)
    mixed = {**older, "webhook-signature": older["svix-signature"]}

    assert verdict(STANDARD, Delivery(headers=mixed, body=BODY), [NEW]) == "its id is missing"


@pytest.mark.parametrize("id_", ["a.b", "a b", '{"a', "x" * 257, "a;b"])
def test_an_id_cannot_take_in_a_piece_of_the_body(id_: str) -> None:
    found = verdict(STANDARD, delivery(webhook_id=id_), [NEW])

    assert found == "its id is not one word of at most 256 letters, digits and _:=+/@~-"
