"""What every implementation of `ports.Connections` must do."""

import pytest

from apex_memory.domain.connections import BearerCredentials, TurvoCredentials
from apex_memory.domain.errors import ItemNotFound
from apex_memory.ports import Connections

BASE = "https://api.samsara.com"
BEARER = BearerCredentials(token="a-token")
TURVO = TurvoCredentials(
    username="ops@acme.example",
    password="a pässword",
    client_id="publicapi",
    client_secret="a secret",
    api_key="a-key",
)


class ConnectionsContract:
    """Subclass with fixtures `connections`, `tenant` and `other_tenant`."""

    @pytest.mark.parametrize("credentials", [BEARER, TURVO], ids=["bearer", "turvo"])
    async def test_what_was_put_is_opened_by_tenant_and_source(
        self, connections: Connections, tenant: str, credentials: BearerCredentials | TurvoCredentials
    ) -> None:
        made = await connections.put(tenant, "samsara", base_url=BASE, credentials=credentials)

        opened = await connections.opened(tenant, "samsara")
        assert (made.source, made.base_url, made.created_at) == ("samsara", BASE, made.updated_at)
        assert opened
        assert (opened.connection, opened.credentials) == (made, credentials)

    async def test_nobody_opens_what_is_anothers(
        self, connections: Connections, tenant: str, other_tenant: str
    ) -> None:
        await connections.put(tenant, "samsara", base_url=BASE, credentials=BEARER)

        assert await connections.opened(other_tenant, "samsara") is None
        assert await connections.opened(tenant, "turvo") is None
        assert list(await connections.listed(other_tenant)) == []

    async def test_two_tenants_have_an_account_each(
        self, connections: Connections, tenant: str, other_tenant: str
    ) -> None:
        theirs = BearerCredentials(token="theirs")
        await connections.put(tenant, "samsara", base_url=BASE, credentials=BEARER)
        await connections.put(other_tenant, "samsara", base_url=BASE, credentials=theirs)

        await connections.remove(tenant, "samsara")

        opened = await connections.opened(other_tenant, "samsara")
        assert opened
        assert opened.credentials == theirs

    async def test_new_credentials_take_the_place_of_the_old_ones(
        self, connections: Connections, tenant: str
    ) -> None:
        first = await connections.put(tenant, "turvo", base_url=BASE, credentials=BEARER)

        second = await connections.put(tenant, "turvo", base_url=f"{BASE}/v2", credentials=TURVO)

        opened = await connections.opened(tenant, "turvo")
        assert opened
        assert (opened.connection, opened.credentials) == (second, TURVO)
        assert (second.base_url, second.created_at) == (f"{BASE}/v2", first.created_at)
        assert second.updated_at > first.updated_at
        assert list(await connections.listed(tenant)) == [second]

    async def test_they_are_listed_by_their_sources_names(
        self, connections: Connections, tenant: str
    ) -> None:
        for source in ("turvo", "frontapp", "samsara"):
            await connections.put(tenant, source, base_url=BASE, credentials=BEARER)

        listed = await connections.listed(tenant)

        assert [connection.source for connection in listed] == ["frontapp", "samsara", "turvo"]

    async def test_what_was_removed_is_gone(
        self, connections: Connections, tenant: str, other_tenant: str
    ) -> None:
        await connections.put(tenant, "samsara", base_url=BASE, credentials=BEARER)

        with pytest.raises(ItemNotFound):
            await connections.remove(other_tenant, "samsara")
        await connections.remove(tenant, "samsara")

        assert await connections.opened(tenant, "samsara") is None
        with pytest.raises(ItemNotFound):
            await connections.remove(tenant, "samsara")
