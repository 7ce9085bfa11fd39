"""What waits for what, and how long a restart waits."""

import random
from itertools import islice

import pytest

from apex_memory.devstack.backoff import Backoff
from apex_memory.devstack.catalogue import ALL, STORES
from apex_memory.devstack.order import layers
from apex_memory.devstack.service import Service, ServiceFailed


def test_what_a_service_needs_stands_in_an_earlier_layer() -> None:
    services = [
        Service(name="api", deps=("migrate", "redis")),
        Service(name="migrate", deps=("postgres",)),
        Service(name="redis"),
        Service(name="postgres"),
    ]

    assert layers(services) == [("postgres", "redis"), ("migrate",), ("api",)]


def test_a_need_that_is_not_started_counts_as_met() -> None:
    assert layers([Service(name="api", deps=("postgres",))]) == [("api",)]


def test_services_that_wait_for_each_other_are_refused() -> None:
    services = [Service(name="hen", deps=("egg",)), Service(name="egg", deps=("hen",))]

    with pytest.raises(ServiceFailed, match="wait for each other"):
        layers(services)


def test_pauses_grow_to_a_cap() -> None:
    pauses = Backoff(first_s=1, factor=2, cap_s=10, jitter=0).pauses()

    assert list(islice(pauses, 6)) == [1, 2, 4, 8, 10, 10]


def test_pauses_are_shortened_by_chance_and_by_no_more_than_the_jitter() -> None:
    pauses = Backoff(first_s=8, cap_s=8, jitter=0.25, chance=random.Random(1)).pauses()

    drawn = list(islice(pauses, 200))

    assert 6 <= min(drawn) < max(drawn) <= 8
    assert len(set(drawn)) > 100


def test_the_stores_with_temporal_can_be_started_alone() -> None:
    assert STORES == ("postgres", "redis", "neo4j", "vectors", "temporal")
    assert set(STORES) < set(ALL)
