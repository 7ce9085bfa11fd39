"""Rules of how a sender signs: what they let in, and which of them are none."""

import hmac
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.hooks.senders import SECONDS, secret_of, stripe, verdict

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HmacRule
from apex_memory.pipeline.intake.verification.hmac import STRIPE, hmac_scheme
from apex_memory.ports.hooks import Scheme

OLD, NEW = secret_of(b"o" * 32), secret_of(b"n" * 32)
BODY = b'{"id":"evt_1"}'
BY_OLD, BY_NEW = (stripe(s.text, BODY, SECONDS)["stripe-signature"].rpartition("=")[2] for s in (OLD, NEW))
T = f"t={SECONDS}"


def stripe_verdict(listed: str) -> object:
    delivery = Delivery(headers={"stripe-signature": listed}, body=BODY)
    return verdict(hmac_scheme(STRIPE), delivery, [NEW])


@pytest.mark.parametrize(
    "listed",
    [
        f"{T},v1={BY_NEW}",
        f"v1={BY_NEW},{T}",
        f"{T}, v1={BY_OLD}, v1={BY_NEW}",
        f"{T},v1={BY_NEW},v1={BY_OLD},v0=00",
        f"{T},v1=,v1={BY_NEW}",
    ],
)
def test_one_genuine_signature_in_the_list_is_enough(listed: str) -> None:
    assert stripe_verdict(listed) == NEW.secret_id


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        (f"v1={BY_NEW}", "its timestamp is missing"),
        (f"{T},{T},v1={BY_NEW}", "its signature has more than one timestamp"),
        (f"t=1,{T},v1={BY_NEW}", "its signature has more than one timestamp"),
        (f"t=,v1={BY_NEW}", "its timestamp is not a number of at most 15 decimal digits"),
        (f"{T},v0={BY_NEW}", "its signature is of no version that is known"),
        (T, "its signature is of no version that is known"),
        (f"{T},v1={BY_OLD}", "its signature matches none of its endpoint's live secrets"),
        (f"{T},v1={BY_NEW.upper()}", "its signature matches none of its endpoint's live secrets"),
        (f"{T},v1={BY_NEW},", "its signature is not a list of names and values"),
        (f"{T} v1={BY_NEW}", "its signature is of no version that is known"),
        (BY_NEW, "its signature is not a list of names and values"),
    ],
)
def test_a_list_that_proves_nothing_is_told_why(listed: str, problem: str) -> None:
    assert stripe_verdict(listed) == problem


@pytest.mark.parametrize(
    ("said", "flaw"),
    [
        ({"template": "{timestamp}", "timestamp_header": "t"}, "leaves the body unsigned"),
        ({"template": ""}, "leaves the body unsigned"),
        ({"template": "{body}{body}"}, "signs a part twice"),
        ({"template": "{url}{body}"}, "signs a part that there is not"),
        ({"template": "{}{body}"}, "signs a part that there is not"),
        ({"template": "{body.__class__}{body}"}, "signs a part that there is not"),
        ({"timestamp_header": "t"}, "has a timestamp and leaves it unsigned"),
        ({"fields": ("t", "v1")}, "has a timestamp and leaves it unsigned"),
        ({"template": "{timestamp}{body}"}, "signs a timestamp and does not say where it is"),
        (
            {"template": "{timestamp}{body}", "timestamp_header": "t", "fields": ("t", "v")},
            "has two timestamps",
        ),
        (
            {"template": "{timestamp}{body}", "fields": ("t", "t")},
            "calls timestamp and signature by one name",
        ),
        ({"id_header": "i"}, "has an id and leaves it unsigned"),
        ({"template": "{id}{body}"}, "signs an id and does not say where it is"),
        ({"prefix": "é"}, "is not in ASCII"),
        ({"template": "{body}\u00e9"}, "is not in ASCII"),
    ],
)
def test_a_rule_that_would_prove_nothing_is_refused(said: dict[str, Any], flaw: str) -> None:
    with pytest.raises(DeliveryRefused, match=f"its endpoint's rule {flaw}$"):
        hmac_scheme(HmacRule(header="h", **said))


def test_braces_that_name_no_part_are_signed_as_they_stand() -> None:
    rule = HmacRule(header="h", template='{"payload":{body}}')
    whole = hmac_scheme(HmacRule(header="h"))
    made = stripe_like(b'{"payload":' + BODY + b"}")

    assert verdict(hmac_scheme(rule), Delivery(headers={"h": made}, body=BODY), [NEW]) == NEW.secret_id
    assert verdict(whole, Delivery(headers={"h": made}, body=BODY), [NEW]) != NEW.secret_id


def stripe_like(signed: bytes) -> str:
    return hmac.digest(NEW.text.encode(), signed, "sha256").hex()


names = st.none() | st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["h", "i", "t"])
templates = st.lists(
    st.sampled_from(["{body}", "{timestamp}", "{id}", "{", "}", ".", "{x}"]) | st.text(max_size=3), max_size=5
).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    rule=st.builds(
        HmacRule,
        header=st.text(st.characters(codec="utf-8"), max_size=8) | st.just("h"),
        prefix=st.text(st.characters(codec="utf-8"), max_size=4),
        fields=st.none() | st.tuples(st.text(max_size=2), st.text(max_size=2)),
        template=templates,
        timestamp_header=names,
        id_header=names,
    ),
    headers=st.dictionaries(st.sampled_from(["h", "i", "t"]), st.sampled_from([f"{SECONDS}", T, "a=b,c=d"])),
)
def test_any_rule_is_refused_or_lets_nothing_unproven_in(rule: HmacRule, headers: dict[str, str]) -> None:
    delivery = Delivery(headers=headers, body=BODY)
    scheme = scheme_or_flaw(rule)

    if isinstance(scheme, str):
        assert scheme.startswith("its endpoint's rule ")
    else:
        assert "{body}" in rule.template
        assert isinstance(verdict(scheme, delivery, [NEW]), str)


def scheme_or_flaw(rule: HmacRule) -> Scheme | str:
    try:
        return hmac_scheme(rule)
    except DeliveryRefused as refusal:
        return refusal.problem
