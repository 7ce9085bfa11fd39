"""Names in, the ids under which things already rest out: they must never change."""

import json
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.domain import ids

# Every character that JSON has a way of its own for, and halves of a pair, which no UTF-8 can hold.
ANYTHING = st.text(st.characters(codec=None), max_size=40)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_an_id_is_the_uuid5_of_its_names_as_json(tenant: str, source: str, external: str) -> None:
    named = uuid5(ids.NAMESPACE, json.dumps(["item", tenant, source, external]))

    assert ids.item_id(tenant, source, external) == named


@pytest.mark.parametrize("part", ["chunk", "claim", "mention", "sample"])
def test_a_part_is_named_by_its_version_and_place(part: ids.Part) -> None:
    item = uuid4()

    named = uuid5(ids.NAMESPACE, json.dumps([part, "acme", str(item), "3", "17"]))

    assert ids.part_id("acme", item, 3, part, 17) == named


def test_an_id_that_stores_hold_today_is_the_same_tomorrow() -> None:
    assert ids.item_id("acme", "samsara", "event:ä\U0001f69a") == UUID("204767c5-a7d2-571e-9b3e-7528e4e21749")
