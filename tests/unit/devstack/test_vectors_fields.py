"""Reading JSON objects field by field."""

import pytest

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.fields import Fields


def test_a_field_nobody_took_is_named() -> None:
    with pytest.raises(NotSupported, match=r"field `body\.strange`"), Fields({"strange": 1}, at="body"):
        pass


def test_null_is_the_same_as_absent() -> None:
    with Fields({"a": None, "b": 2}, at="body") as fields:
        b = fields.integer("b", least=0, default=0)

    assert b == 2


def test_the_first_error_is_not_hidden_by_the_fields_that_were_still_to_come() -> None:
    with pytest.raises(BadRequest, match=r"body\.a is missing"), Fields({"b": 2}, at="body") as fields:
        fields.need("a")


@pytest.mark.parametrize("value", [[], "text", 1, None])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(BadRequest, match="body must be an object"):
        Fields(value, at="body")


@pytest.mark.parametrize("value", [True, 1.5, "1", -1])
def test_an_integer_is_neither_a_boolean_nor_a_fraction_nor_too_small(value: object) -> None:
    with pytest.raises(BadRequest, match=r"body\.limit must be an integer of at least 0"):
        Fields({"limit": value}, at="body").integer("limit", least=0, default=10)


def test_a_lone_object_counts_as_a_list_of_one() -> None:
    assert Fields({"must": {"key": "k"}}, at="filter").one_or_more("must") == [{"key": "k"}]
