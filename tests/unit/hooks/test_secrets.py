"""Several live secrets, none, and such as cannot be read."""

import hmac
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.hooks.senders import SENDERS, Sender, secret_of, standard, verdict
from tests.unit.hooks.senders import samsara as samsara_headers

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification.registry import scheme_named

each_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
NONE_LIVE = "its endpoint has no live secret that can be used"
#: HMAC takes a key of fewer than 64 bytes for the same as one with zeros after it.
keys = st.binary(min_size=24, max_size=63).map(lambda key: key + b"k")


@each_sender
@settings(max_examples=15, deadline=None)
@given(live=st.lists(keys, min_size=1, max_size=5, unique=True), data=st.data(), body=st.binary(max_size=64))
def test_of_several_live_secrets_the_one_that_it_was_made_with_is_named(
    sender: Sender, live: list[bytes], data: st.DataObject, body: bytes
) -> None:
    secrets = [secret_of(key) for key in live]
    used = data.draw(st.sampled_from(secrets))

    assert verdict(sender.scheme, sender.delivery(used.text, body), secrets) == used.secret_id


@each_sender
@settings(max_examples=15, deadline=None)
@given(live=st.lists(keys, min_size=2, max_size=5, unique=True), body=st.binary(max_size=64))
def test_a_secret_that_is_no_longer_live_lets_nothing_in(
    sender: Sender, live: list[bytes], body: bytes
) -> None:
    gone, *secrets = [secret_of(key) for key in live]

    found = verdict(sender.scheme, sender.delivery(gone.text, body), secrets)

    assert isinstance(found, str)
    assert found.endswith("matches none of its endpoint's live secrets")


@each_sender
def test_without_a_secret_nothing_is_let_in(sender: Sender) -> None:
    assert verdict(sender.scheme, sender.delivery(secret_of(b"k" * 32).text), []) == NONE_LIVE


@each_sender
@pytest.mark.parametrize("text", ["", " ", "\t\n", "\0", "\0" * 64, "\ud800"])
def test_a_secret_that_anyone_has_lets_nothing_in(sender: Sender, text: str) -> None:
    secret = secret_of(b"").model_copy(update={"text": text})

    assert verdict(sender.scheme, sender.delivery(""), [secret]) in {NONE_LIVE, "its token is missing"}
    assert verdict(sender.scheme, sender.delivery("x" * 32), [secret]) == NONE_LIVE


@pytest.mark.parametrize("text", ["AAAA", "whsec_", "v1,whsec_", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_secret_of_nothing_but_zeros_lets_nothing_in(text: str) -> None:
    delivery = Delivery(headers=standard("", b"{}", 1_795_010_700), body=b"{}")
    secret = secret_of(b"").model_copy(update={"text": text})

    assert verdict(scheme_named("standard"), delivery, [secret]) == NONE_LIVE


@pytest.mark.parametrize(
    "text", ["not base64", "YWJj\n", "YWJjZA", "YWJjZA=", "YWJj-_8=", "ÿWJj", "whpk_YWJj", "whsk_YWJj"]
)
@pytest.mark.parametrize("name", ["samsara", "standard"])
def test_a_secret_that_cannot_be_decoded_is_passed_over(name: str, text: str) -> None:
    good = secret_of(b"k" * 32)
    unreadable = secret_of(b"").model_copy(update={"text": text})
    sender = next(sender for sender in SENDERS if sender.name == name)
    delivery = sender.delivery(good.text)

    assert verdict(sender.scheme, delivery, [unreadable, good]) == good.secret_id
    assert verdict(sender.scheme, delivery, [unreadable]) == NONE_LIVE


def test_a_secret_that_has_to_be_decoded_is_never_taken_as_it_stands() -> None:
    text = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
    undecoded = secret_of(text.encode())
    delivery = Delivery(headers=samsara_headers(undecoded.text, b"{}", 1_795_010_700), body=b"{}")

    found = verdict(scheme_named("samsara"), delivery, [HookSecret(secret_id=undecoded.secret_id, text=text)])

    assert found == "its signature matches none of its endpoint's live secrets"


@pytest.mark.parametrize("spelling", ["{}", "whsec_{}", "v1,whsec_{}"])
def test_a_standard_secret_is_read_in_each_spelling_that_senders_show(spelling: str) -> None:
    good = secret_of(b"k" * 32)
    delivery = Delivery(headers=standard(good.text, b"{}", 1_795_010_700), body=b"{}")
    shown = good.model_copy(update={"text": spelling.format(good.text)})

    assert verdict(scheme_named("standard"), delivery, [shown]) == good.secret_id


@each_sender
@pytest.mark.parametrize("used", [0, 1, 2])
def test_every_secret_is_compared_whichever_it_was(
    sender: Sender, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [secret_of(b"k" * length) for length in (24, 36, 48)]
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noted(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    found = verdict(sender.scheme, sender.delivery(secrets[used].text), secrets)

    assert found == secrets[used].secret_id
    assert len({own for own, _ in compared}) == len(secrets)
    assert [own == claim for own, claim in compared].index(True) == used
    assert all(len(own) == len(claim) for own, claim in compared)
    assert all(claim == later for (_, claim), (_, later) in pairwise(compared))


def test_a_secret_is_not_printed() -> None:
    secret = secret_of(b"k" * 32)

    assert secret.text not in repr(secret)
