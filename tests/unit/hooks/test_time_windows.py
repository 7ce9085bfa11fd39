"""Timestamps at the edges of the window, and such as are none."""

from datetime import UTC, datetime

import pytest
from tests.unit.hooks.senders import NOW, SECONDS, SENDERS, Sender, secret_of, verdict

SECRET = secret_of(b"k" * 32)
TIMED = [sender for sender in SENDERS if sender.tolerance_s is not None]
each_timed = pytest.mark.parametrize("sender", TIMED, ids=lambda sender: sender.name)
AWAY = "its timestamp is more than {} s away from now"


@each_timed
@pytest.mark.parametrize("direction", [-1, 1])
def test_a_delivery_is_let_in_to_the_second_within_its_window(sender: Sender, direction: int) -> None:
    edge = SECONDS + direction * (sender.tolerance_s or 0)

    assert verdict(sender.scheme, sender.delivery(SECRET.text, at=edge), [SECRET]) == SECRET.secret_id
    assert verdict(sender.scheme, sender.delivery(SECRET.text, at=edge + direction), [SECRET]) == AWAY.format(
        sender.tolerance_s
    )


def test_the_window_of_front_is_measured_in_milliseconds() -> None:
    sender = next(sender for sender in SENDERS if sender.name == "front_application")
    delivery = sender.delivery(SECRET.text)
    last = datetime.fromtimestamp(SECONDS + 300, UTC)

    assert verdict(sender.scheme, delivery, [SECRET], now=last) == SECRET.secret_id
    assert verdict(sender.scheme, delivery, [SECRET], now=last.replace(microsecond=1000)) == AWAY.format(300)


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.tolerance_s is None], ids=lambda s: s.name)
def test_a_delivery_without_a_timestamp_does_not_age(sender: Sender) -> None:
    later = NOW.replace(year=NOW.year + 10)

    assert verdict(sender.scheme, sender.delivery(SECRET.text), [SECRET], now=later) == SECRET.secret_id


@pytest.mark.parametrize(
    "stated", ["-1", "+1", "1.0", "1e9", "0x1", "1_0", " 1", "1 ", "1,2", "1" * 16, "9" * 2000, "Infinity"]
)
@pytest.mark.parametrize("name", ["samsara", "front_application", "standard", "svix", "slack", "odd"])
def test_a_timestamp_is_digits_and_nothing_else(name: str, stated: str) -> None:
    sender = next(sender for sender in SENDERS if sender.name == name)
    genuine = sender.delivery(SECRET.text)
    header = next(header for header in sender.proof if "time" in header)
    forged = genuine.model_copy(update={"headers": {**genuine.headers, header: stated}})

    found = verdict(sender.scheme, forged, [SECRET])

    assert found == "its timestamp is not a number of at most 15 decimal digits"
