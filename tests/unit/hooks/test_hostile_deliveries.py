"""Genuine deliveries with one byte changed, and headers and bodies of any kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.hooks.senders import SECONDS, SENDERS, Sender, secret_of, verdict

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.ports.hooks import Scheme

SECRET = secret_of(b"a key of thirty-two bytes or so..")
HEADERS = sorted(
    {name for sender in SENDERS for name in sender.proof} | {"authorization", "x-front-challenge"}
)
HOSTILE = (
    "",
    " ",
    "\0",
    "v1,",
    "v1=",
    "v1, v1, v1a,x",
    "v1,\ud800",
    "sha256=",
    "t=,v1=",
    "t",
    ",",
    "=,=",
    "t=1,t=1,v1=a",
    "Basic",
    "Basic ====",
    "Basic \udfff",
    "Bearer",
    "Bearer ",
    "é" * 44,
    "A" * 2049,
    "v1," * 700,
    "9" * 5000,
    "-1",
    "+1795010700",
    "1_795_010_700",
    "1795010700.0",
    "1e9",
    "٣",
    "²",
    "NaN",
    f" {SECONDS}",
    f"{SECONDS}\n",
    f"{SECONDS}, {SECONDS}",
    f"{SECONDS}",
    f"{SECONDS}000",
    f"t={SECONDS},v1=00",
)
BODIES = st.binary(max_size=64) | st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b'{"type":"sync"}',
        b'{"type":["sync"]}',
        b"[" * 100_000,
        b'{"type":"sync","type":0}',
    ]
)
# Lone surrogates and NUL included: what a server makes of odd bytes is not ours to rely on.
texts = st.text(st.characters(), max_size=80) | st.sampled_from(HOSTILE)

each_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)


@each_sender
@settings(max_examples=40, deadline=None)
@given(data=st.data(), body=st.binary(min_size=1, max_size=64))
def test_any_byte_of_a_genuine_delivery_that_is_changed_is_noticed(
    sender: Sender, data: st.DataObject, body: bytes
) -> None:
    genuine = sender.delivery(SECRET.text, body)
    header = data.draw(st.sampled_from(sender.proof))
    value = genuine.headers[header]
    at = data.draw(st.integers(0, len(value) - 1))
    code = data.draw(st.integers(0, 255).filter(lambda code: chr(code) != value[at]))

    assert verdict(sender.scheme, genuine, [SECRET]) == SECRET.secret_id
    assert isinstance(verdict(sender.scheme, changed(genuine, header, at, chr(code)), [SECRET]), str)


@each_sender
def test_every_character_of_a_genuine_proof_counts(sender: Sender) -> None:
    genuine = sender.delivery(SECRET.text)
    unnoticed = [
        (header, at, other)
        for header in sender.proof
        for at, character in enumerate(genuine.headers[header])
        for other in {*"0aA= ,.\0\x7f\xe9\u0660", character.swapcase(), chr(ord(character) ^ 1)} - {character}
        if not isinstance(verdict(sender.scheme, changed(genuine, header, at, other), [SECRET]), str)
    ]

    assert unnoticed == []


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.signed], ids=lambda sender: sender.name)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), body=st.binary(min_size=1, max_size=64))
def test_any_byte_of_a_signed_body_that_is_changed_is_noticed(
    sender: Sender, data: st.DataObject, body: bytes
) -> None:
    genuine = sender.delivery(SECRET.text, body)
    at = data.draw(st.integers(0, len(body) - 1))
    flipped = body[at] ^ data.draw(st.integers(1, 255))
    forged = genuine.model_copy(update={"body": body[:at] + bytes([flipped]) + body[at + 1 :]})

    found = verdict(sender.scheme, forged, [SECRET])

    assert found == "its signature matches none of its endpoint's live secrets"


def changed(genuine: Delivery, header: str, at: int, other: str) -> Delivery:
    value = genuine.headers[header]
    headers = {**genuine.headers, header: value[:at] + other + value[at + 1 :]}
    return genuine.model_copy(update={"headers": headers})


@each_sender
@settings(max_examples=40, deadline=None)
@given(
    headers=st.dictionaries(st.sampled_from(HEADERS) | texts, texts, max_size=6),
    body=BODIES,
    secrets=st.lists(st.just(SECRET.text) | texts, max_size=3),
)
def test_nothing_but_a_refusal_comes_of_any_headers_body_and_secrets(
    sender: Sender, headers: dict[str, str], body: bytes, secrets: list[str]
) -> None:
    delivery = Delivery(headers=headers, body=body)
    live = [HookSecret(secret_id=SECRET.secret_id, text=text) for text in secrets]

    assert_quiet(sender, delivery, live)


@each_sender
@settings(max_examples=30, deadline=None)
@given(data=st.data(), body=BODIES, value=texts)
def test_nothing_but_a_refusal_comes_of_one_hostile_header_among_genuine_ones(
    sender: Sender, data: st.DataObject, body: bytes, value: str
) -> None:
    genuine = sender.delivery(SECRET.text, body)
    header = data.draw(st.sampled_from(sender.proof))
    forged = genuine.model_copy(update={"headers": {**genuine.headers, header: value}})

    if value != genuine.headers[header]:
        assert isinstance(verdict(sender.scheme, forged, [SECRET]), str)
    assert_quiet(sender, forged, [SECRET])


def assert_quiet(sender: Sender, delivery: Delivery, live: list[HookSecret]) -> None:
    """One of the two outcomes, and a problem that quotes no header."""
    found = verdict(sender.scheme, delivery, live)
    if isinstance(found, str):
        assert found.startswith("its ")
        assert found.isascii()
        assert not any(value in found for value in delivery.headers.values() if len(value) > 12)
    answer = answer_of(sender.scheme, delivery)
    if isinstance(answer, DeliveryRefused):
        assert answer.problem.startswith("its challenge ")
    else:
        assert answer is None or answer == delivery.headers["x-front-challenge"]


def answer_of(scheme: Scheme, delivery: Delivery) -> DeliveryRefused | str | None:
    try:
        return scheme.challenge(delivery)
    except DeliveryRefused as refusal:
        return refusal


@each_sender
def test_a_delivery_that_lacks_a_part_is_told_which(sender: Sender) -> None:
    genuine = sender.delivery(SECRET.text)

    for header in sender.proof:
        rest = {name: value for name, value in genuine.headers.items() if name != header}
        found = verdict(sender.scheme, genuine.model_copy(update={"headers": rest}), [SECRET])

        assert found in {f"its {what} is missing" for what in ("signature", "timestamp", "id", "token")}


@each_sender
def test_a_header_without_end_is_not_read(sender: Sender) -> None:
    genuine = sender.delivery(SECRET.text)

    for header in sender.proof:
        headers = {**genuine.headers, header: "9" * 10_000_000}
        found = verdict(sender.scheme, genuine.model_copy(update={"headers": headers}), [SECRET])

        assert isinstance(found, str)
        assert found.endswith("is longer than 2048 characters")
