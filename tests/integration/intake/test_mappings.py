"""Mappings of tenants' own sources on a real PostgreSQL."""

import pytest
from tests.contracts.mappings_contract import MappingsContract

from apex_memory.database import Database
from apex_memory.pipeline.intake.mappings import PostgresMappings

pytestmark = pytest.mark.integration


class TestPostgresMappings(MappingsContract):
    @pytest.fixture
    def mappings(self, database: Database) -> PostgresMappings:
        return PostgresMappings(database)
