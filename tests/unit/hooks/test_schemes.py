"""The folder of schemes against the list of schemes, and what Front is answered."""

import pkgutil

import pytest
from tests.unit.hooks.senders import SECONDS, front_application, secret_of, verdict

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery
from apex_memory.pipeline.intake import verification
from apex_memory.pipeline.intake.verification.front_application import FrontApplication
from apex_memory.pipeline.intake.verification.front_rule import FrontRule
from apex_memory.pipeline.intake.verification.hmac import GITHUB, SLACK, hmac_scheme
from apex_memory.pipeline.intake.verification.registry import SCHEMES, scheme_named
from apex_memory.pipeline.intake.verification.samsara import Samsara
from apex_memory.pipeline.intake.verification.standard import Standard
from apex_memory.pipeline.intake.verification.token import Token

#: Made of each endpoint's own rule, so there is none to register.
BY_RULE = {"hmac"}
SYNC = b'{"type":"sync","authorization":{"id":"cmp_1"}}'


def test_every_scheme_module_is_registered_under_its_name() -> None:
    modules = {m.name for m in pkgutil.iter_modules(verification.__path__) if m.name[0] != "_"}

    assert {type(scheme).__module__.rpartition(".")[2] for scheme in SCHEMES} == modules - {
        "registry"
    } - BY_RULE
    assert {scheme.name for scheme in SCHEMES} == modules - {"registry"} - BY_RULE
    assert [scheme_named(scheme.name) for scheme in SCHEMES] == list(SCHEMES)


@pytest.mark.parametrize("name", ["", "Samsara", "hmac", "_headers", "secret " * 9])
def test_an_unknown_scheme_lets_nothing_in_and_is_not_quoted(name: str) -> None:
    known = "front_application, front_rule, samsara, standard, token"

    with pytest.raises(DeliveryRefused) as refusal:
        scheme_named(name)

    assert refusal.value.problem == f"its endpoint's scheme is not one of {known}"


def test_a_shared_token_alone_signs_nothing() -> None:
    schemes = (FrontApplication(), FrontRule(), Samsara(), Standard(), Token(), hmac_scheme(GITHUB))

    assert [scheme.name for scheme in schemes if not scheme.signed] == ["token"]


def challenge(word: str, body: bytes = SYNC) -> str | None:
    return FrontApplication().challenge(Delivery(headers={"x-front-challenge": word}, body=body))


@pytest.mark.parametrize("word", ["c-7f3a", "a", "A" * 256, "aGVsbG8+/w==", "f81d4fae-7dec.11d0_a:~"])
def test_front_is_answered_with_its_own_word(word: str) -> None:
    assert challenge(word) == word


@pytest.mark.parametrize(
    "word", ["", " ", "A" * 257, "<script>", "a\r\nSet-Cookie: b", "a b", "é", "\0", '"']
)
def test_a_word_that_could_be_more_than_a_word_is_not_sent_back(word: str) -> None:
    with pytest.raises(DeliveryRefused, match="its challenge "):
        challenge(word)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'"sync"', b"null", b"{", b'{"type":"inbound"}', b'{"type":["sync"]}', b"[" * 5000, b"\xff"],
)
def test_what_is_no_test_of_front_has_no_answer(body: bytes) -> None:
    assert challenge("c-7f3a", body) is None


def test_a_test_of_front_without_a_word_has_no_answer() -> None:
    assert FrontApplication().challenge(Delivery(headers={}, body=SYNC)) is None


def test_a_test_of_front_proves_itself_like_any_other_delivery() -> None:
    secret, other = secret_of(b"k" * 32), secret_of(b"o" * 32)
    headers = {**front_application(secret.text, SYNC, SECONDS), "x-front-challenge": "c-7f3a"}
    delivery = Delivery(headers=headers, body=SYNC)

    assert verdict(FrontApplication(), delivery, [secret]) == secret.secret_id
    assert isinstance(verdict(FrontApplication(), delivery, [other]), str)


def slack_challenge(body: bytes) -> str | None:
    return hmac_scheme(SLACK).challenge(Delivery(headers={}, body=body))


@pytest.mark.parametrize("word", ["3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "a", "A" * 256])
def test_slack_is_answered_with_its_own_word(word: str) -> None:
    body = b'{"token": "t", "challenge": "%s", "type": "url_verification"}' % word.encode()

    assert slack_challenge(body) == word


@pytest.mark.parametrize(
    "word",
    [b'""', b'"%s"' % (b"A" * 257), b'"<script>"', b'"a\\nb"', b'"a b"', b'"\xc3\xa9"', b"7", b"null", b"[]"],
)
def test_a_word_of_slack_that_could_be_more_than_a_word_is_not_sent_back(word: bytes) -> None:
    with pytest.raises(DeliveryRefused, match="its challenge "):
        slack_challenge(b'{"type": "url_verification", "challenge": %s}' % word)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"[" * 5000, b'{"type":"event_callback"}', b'{"type":"url_verification"}'],
)
def test_what_is_no_test_of_slack_has_no_answer(body: bytes) -> None:
    assert slack_challenge(body) is None


def test_a_sender_that_is_not_slack_hears_no_word_back() -> None:
    body = b'{"type": "url_verification", "challenge": "word"}'

    assert hmac_scheme(GITHUB).challenge(Delivery(headers={}, body=body)) is None
