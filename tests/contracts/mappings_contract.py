"""What every implementation of `ports.Mappings` must do."""

import pytest

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.mappings import RecordMapping
from apex_memory.ports import Mappings

ORDERS = RecordMapping.model_validate(
    {
        "id": "$.number",
        "time": "$.at",
        "text": ["$.notes", "$['gift message']"],
        "entities": [
            {"name": "line", "type": "product", "key": "@.sku", "each": "$.lines[?@.kind=='goods']"}
        ],
        "claims": [{"subject": "line", "predicate": "has_quantity", "value": "@.quantity"}],
    }
)
TICKETS = RecordMapping(id="$.ticket")


class MappingsContract:
    """Subclass with fixtures `mappings`, `tenant` and `other_tenant`."""

    async def test_what_was_put_is_in_force(self, mappings: Mappings, tenant: str) -> None:
        declared = await mappings.put(tenant, "web-shop", ORDERS)

        assert declared.mapping == ORDERS
        assert await mappings.get(tenant, "web-shop") == declared
        assert await mappings.get(tenant, "crm") is None

    async def test_another_one_takes_its_place_and_the_day_of_the_first_stays(
        self, mappings: Mappings, tenant: str
    ) -> None:
        first = await mappings.put(tenant, "web-shop", ORDERS)

        second = await mappings.put(tenant, "web-shop", TICKETS)

        assert await mappings.get(tenant, "web-shop") == second
        assert second.mapping == TICKETS
        assert second.created_at == first.created_at
        assert second.updated_at > first.updated_at

    async def test_two_tenants_may_use_one_name_for_different_things(
        self, mappings: Mappings, tenant: str, other_tenant: str
    ) -> None:
        ours = await mappings.put(tenant, "web-shop", ORDERS)
        theirs = await mappings.put(other_tenant, "web-shop", TICKETS)
        await mappings.put(other_tenant, "crm", TICKETS)

        assert await mappings.get(tenant, "web-shop") == ours
        assert await mappings.get(other_tenant, "web-shop") == theirs
        assert [known.source for known in await mappings.listed(tenant)] == ["web-shop"]

    async def test_they_are_listed_by_name(self, mappings: Mappings, tenant: str) -> None:
        for source in ("web_shop", "crm", "web-shop"):
            await mappings.put(tenant, source, TICKETS)

        listed = await mappings.listed(tenant)

        assert [known.source for known in listed] == ["crm", "web-shop", "web_shop"]

    async def test_what_was_removed_is_gone_for_its_tenant_alone(
        self, mappings: Mappings, tenant: str, other_tenant: str
    ) -> None:
        await mappings.put(tenant, "web-shop", ORDERS)
        theirs = await mappings.put(other_tenant, "web-shop", TICKETS)

        await mappings.remove(tenant, "web-shop")

        assert await mappings.get(tenant, "web-shop") is None
        assert await mappings.listed(tenant) == []
        assert await mappings.get(other_tenant, "web-shop") == theirs
        with pytest.raises(ItemNotFound):
            await mappings.remove(tenant, "web-shop")
