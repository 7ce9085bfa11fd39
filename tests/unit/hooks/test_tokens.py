"""A shared token, wherever its sender puts it."""

import base64

import pytest
from tests.unit.hooks.senders import secret_of, verdict

from apex_memory.domain.hooks import Delivery
from apex_memory.pipeline.intake.verification.registry import scheme_named

TOKEN = scheme_named("token")
SECRET = secret_of(b"k" * 32)
T = SECRET.text
NONE_OF_THEM = "its token matches none of its endpoint's live secrets"


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def found_in(**headers: str) -> object:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return verdict(TOKEN, Delivery(headers=shown, body=b"{}"), [secret_of(b"other" * 7), SECRET])


@pytest.mark.parametrize(
    "authorization", [f"Bearer {T}", f"bearer {T}", f"BEARER  {T}", T, basic(f"hook:{T}")]
)
def test_a_token_is_found_in_any_authorization(authorization: str) -> None:
    assert found_in(authorization=authorization) == SECRET.secret_id


@pytest.mark.parametrize("header", ["token", "x_turvo_token", "x_api_key"])
def test_a_token_is_found_in_a_header_of_its_own(header: str) -> None:
    assert found_in(**{header: T}) == SECRET.secret_id


def test_one_token_that_is_right_is_enough() -> None:
    assert found_in(authorization="Bearer of another", x_api_key=T, token="") == SECRET.secret_id


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        f"Bearer {T}x",
        f"Bearer {T[:-1]}",
        f"Bearer{T}",
        f"Basic {T}",
        basic(T),
        basic(f"{T}:"),
        f"Digest {T}",
    ],
)
def test_another_token_is_refused(authorization: str) -> None:
    assert found_in(authorization=authorization) == NONE_OF_THEM


@pytest.mark.parametrize("credentials", ["====", "a", "a:b", "YWJj\u007f", "YQ==YQ=="])
def test_a_basic_authorization_that_cannot_be_decoded_is_refused(credentials: str) -> None:
    assert "its " in str(found_in(authorization=f"Basic {credentials}", x_api_key=T))


def test_a_password_may_hold_colons_and_other_letters_than_ascii() -> None:
    secret = SECRET.model_copy(update={"text": "a:b:ü"})
    delivery = Delivery(headers={"authorization": basic("user:a:b:ü")}, body=b"")

    assert verdict(TOKEN, delivery, [secret]) == SECRET.secret_id


def test_a_delivery_without_a_token_is_refused() -> None:
    assert found_in() == "its token is missing"
    assert found_in(cookie=T, x_token=T) == "its token is missing"
