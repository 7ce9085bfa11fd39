"""Two tenants, for every test that must keep them apart."""

import pytest


@pytest.fixture
def tenant() -> str:
    return "alice-ltd"


@pytest.fixture
def other_tenant() -> str:
    return "bob-inc"
