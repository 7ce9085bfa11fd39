"""Texts against the identifiers that they name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_memory.pipeline.extraction._vin import VALUES, check_digit, is_vin
from apex_memory.pipeline.extraction.identifiers import identifiers_in

MEGABYTE = 1 << 20
VIN = "1M8GDM9AXKP042788"


def named(text: str) -> list[tuple[str, str]]:
    return [(found.entity.type, found.entity.key) for found in identifiers_in(text)]


@pytest.mark.parametrize(
    ("text", "type_", "key"),
    [
        ("Shipment SHIP-2025-10-19-002 delivered.", "shipment", "SHIP-2025-10-19-002"),
        ("see ship-7a!", "shipment", "SHIP-7A"),
        ("PO-4500123", "purchase_order", "PO-4500123"),
        ("our PO 4500123, please", "purchase_order", "PO-4500123"),
        ("PO #A12", "purchase_order", "PO-A12"),
        ("BOL-778", "bill_of_lading", "BOL-778"),
        ("bol 778899", "bill_of_lading", "BOL-778899"),
        ("LOAD-12", "load", "LOAD-12"),
        ("Load #12", "load", "LOAD-12"),
        ("Where is load M290969?", "shipment", "M290969"),
        ("load number: m290969", "shipment", "M290969"),
        ("Shipment M290969 is late", "shipment", "M290969"),
        ("MSG-2025-10-19-003", "message", "MSG-2025-10-19-003"),
        ("TRUCK-6520", "vehicle", "TRUCK-6520"),
        ("truck 6520", "vehicle", "TRUCK-6520"),
        ("TRL-12", "vehicle", "TRL-12"),
        ("UNIT 4411", "vehicle", "UNIT-4411"),
        ("1M8GDM9AXKP042788", "vehicle", "1M8GDM9AXKP042788"),
        ("1m8gdm9axkp042788", "vehicle", "1M8GDM9AXKP042788"),
        ("VIN: 1FUJBBCK57LX00001", "vehicle", "1FUJBBCK57LX00001"),
        ("WVWZZZ1JZ3W386752", "vehicle", "WVWZZZ1JZ3W386752"),
        ("<Dispatch@Acme-Trucking.com>", "person", "dispatch@acme-trucking.com"),
        ("write to 'o'brien+x@mail.acme.co.uk'.", "person", "o'brien+x@mail.acme.co.uk"),
    ],
)
def test_an_identifier_is_found_under_its_one_spelling(text: str, type_: str, key: str) -> None:
    assert named(text) == [(type_, key)]


@pytest.mark.parametrize(
    "text",
    [
        "ship-to",
        "a PO-box",
        "ship 200 boxes",
        "load 2000 kg",
        "load A1",
        "shipment 2026",
        "workload M290969",
        "load M290969-7",
        "load M290969x",
        "truck 2 of 5",
        "unit 500kg",
        "RE-SHIP-001",
        "WORSHIP-001",
        "éSHIP-001",
        "SHIP-001é",
        "SHIP-001\u0663",
        "SHIP-" + "1" * 65,
        "1FUJBBCK57LX00001",
        "12345678901234567",
        "1M8GDM9AXKP042788-7",
        "a@b",
        "rené@acme.fr",
        "a..b@acme.fr",
        "a.@acme.fr",
        "x" * 65 + "@acme.fr",
        "",
    ],
)
def test_what_only_looks_like_an_identifier_is_none(text: str) -> None:
    assert named(text) == []


def test_neighbouring_numbers_never_merge() -> None:
    assert named("SHIP-2025-10-19-002 SHIP-2025-10-19-003 SHIP-2025-10-19-0021") == [
        ("shipment", "SHIP-2025-10-19-002"),
        ("shipment", "SHIP-2025-10-19-003"),
        ("shipment", "SHIP-2025-10-19-0021"),
    ]


def test_they_come_in_the_order_of_the_text_with_the_texts_spelling() -> None:
    text = "truck PO-1: a@b.co, \uff33\uff28\uff29\uff30\u20112, Unit 4411"

    found = list(identifiers_in(text))

    assert [f.name for f in found] == ["PO-1", "a@b.co", "\uff33\uff28\uff29\uff30\u20112", "Unit 4411"]
    assert [text[f.start : f.end] for f in found] == [f.name for f in found]


@pytest.mark.parametrize(
    "text", ["货物SHIP-2025-001已送达", "SHIP-2025-001을", "_SHIP-2025-001_", "-SHIP-2025-001"]
)
def test_scripts_without_spaces_and_markup_stand_beside_an_identifier(text: str) -> None:
    assert named(text) == [("shipment", "SHIP-2025-001")]


def test_an_identifier_inside_an_address_belongs_to_the_address() -> None:
    assert named("TRUCK-12@fleet.com, x.SHIP-9@fleet.com") == [
        ("person", "truck-12@fleet.com"),
        ("person", "x.ship-9@fleet.com"),
    ]


def test_a_check_digit_is_computed_as_the_law_says() -> None:
    assert check_digit("1M8GDM9AXKP042788") == "X"
    assert check_digit("11111111111111111") == "1"


@given(
    place=st.sampled_from([*range(8), *range(9, 17)]),
    character=st.sampled_from("ABCDEFGHJKLMNPRSTUVWXYZ0123456789"),
)
def test_a_wrong_character_is_caught_unless_it_counts_the_same(place: int, character: str) -> None:
    changed = VIN[:place] + character + VIN[place + 1 :]
    counts_the_same = VALUES[character] == VALUES[VIN[place]]

    assert (check_digit(changed) == check_digit(VIN)) is counts_the_same


@pytest.mark.parametrize("labelled", [True, False])
def test_a_label_stands_in_for_the_check_digit(labelled: bool) -> None:  # noqa: FBT001 - the parameter's table
    assert is_vin("1FUJBBCK57LX00001", labelled=labelled) is labelled


@given(st.text(st.characters(), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for found in identifiers_in(text):
        assert text[found.start : found.end] == found.name
        assert found.entity.key.isascii()


@settings(max_examples=50)
@given(st.from_regex(r"SHIP-[0-9]{1,8}(-[A-Z0-9]{1,6}){0,3}", fullmatch=True))
def test_a_key_is_found_as_itself_in_any_case_and_within_a_sentence(key: str) -> None:
    assert named(f"Where is {key.lower()}?") == [("shipment", key)]


@pytest.mark.parametrize(
    "unit",
    [
        *("SHIP-", "SHIP-1-", "-1", "PO # ", "VIN ", "1M8GDM9AXKP042788"),
        *("a", "a@", "a.", "b-", "A@B.", "'"),
        *("a\u0300\u0327", "\ufdfa"),
    ],
)
def test_a_hostile_megabyte_is_read_in_linear_time(unit: str) -> None:
    # A quadratic pattern would need hours here, and run into the time limit of every test.
    text = "PO 1234" + unit * (MEGABYTE // len(unit))

    assert len(named(text)) <= 1
