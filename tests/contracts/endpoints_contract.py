"""What every implementation of `ports.Endpoints` must do."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.hooks import Endpoint, HmacRule
from apex_memory.ports import Endpoints


def an_endpoint(*, label: str = "ours", rule: HmacRule | None = None) -> Endpoint:
    return Endpoint(
        endpoint_id=uuid4().hex,
        source="samsara",
        scheme="hmac" if rule else "samsara",
        rule=rule,
        label=label,
        created_at=datetime.now(UTC),
    )


async def live(endpoints: Endpoints, endpoint_id: str) -> list[str]:
    """The live secrets, newest first."""
    opened = await endpoints.opened(endpoint_id)
    assert opened
    return [secret.text for secret in opened.secrets]


class EndpointsContract:
    """Subclass with fixtures `endpoints`, `tenant` and `other_tenant`."""

    async def test_what_was_made_is_opened_by_its_id_alone(self, endpoints: Endpoints, tenant: str) -> None:
        rule = HmacRule(header="x-signature", prefix="sha256=", fields=("t", "v1"), tolerance_s=60)
        made = an_endpoint(rule=rule)

        await endpoints.create(tenant, made, secret="a secret of sixteen")

        opened = await endpoints.opened(made.endpoint_id)
        assert opened
        assert (opened.tenant_id, opened.endpoint) == (tenant, made)
        assert [secret.text for secret in opened.secrets] == ["a secret of sixteen"]
        assert await endpoints.opened(uuid4().hex) is None

    async def test_a_tenant_is_told_of_its_own_endpoints_in_their_order(
        self, endpoints: Endpoints, tenant: str, other_tenant: str
    ) -> None:
        first, second, theirs = (an_endpoint(label=label) for label in ("first", "second", "theirs"))
        for owner, made in ((tenant, first), (other_tenant, theirs), (tenant, second)):
            await endpoints.create(owner, made, secret="a secret of sixteen")

        assert list(await endpoints.listed(tenant)) == [first, second]
        assert list(await endpoints.listed(other_tenant)) == [theirs]

    async def test_after_a_rotation_both_secrets_live_and_the_newest_comes_first(
        self, endpoints: Endpoints, tenant: str
    ) -> None:
        made = an_endpoint()
        await endpoints.create(tenant, made, secret="the old secret")

        await endpoints.rotate(tenant, made.endpoint_id, secret="the new secret", overlap_s=60)

        assert await live(endpoints, made.endpoint_id) == ["the new secret", "the old secret"]

    async def test_without_an_overlap_the_old_secret_is_gone_at_once(
        self, endpoints: Endpoints, tenant: str
    ) -> None:
        made = an_endpoint()
        await endpoints.create(tenant, made, secret="the old secret")

        await endpoints.rotate(tenant, made.endpoint_id, secret="the new secret", overlap_s=0)

        assert await live(endpoints, made.endpoint_id) == ["the new secret"]

    async def test_a_later_rotation_prolongs_no_secret(self, endpoints: Endpoints, tenant: str) -> None:
        made = an_endpoint()
        await endpoints.create(tenant, made, secret="the first secret")
        await endpoints.rotate(tenant, made.endpoint_id, secret="the second secret", overlap_s=0)

        await endpoints.rotate(tenant, made.endpoint_id, secret="the third secret", overlap_s=3600)

        assert await live(endpoints, made.endpoint_id) == ["the third secret", "the second secret"]

    async def test_disabled_and_enabled_again(self, endpoints: Endpoints, tenant: str) -> None:
        made = an_endpoint()
        await endpoints.create(tenant, made, secret="a secret of sixteen")

        disabled = await endpoints.enable(tenant, made.endpoint_id, enabled=False)
        again = await endpoints.enable(tenant, made.endpoint_id, enabled=False)
        opened = await endpoints.opened(made.endpoint_id)
        enabled = await endpoints.enable(tenant, made.endpoint_id, enabled=True)

        assert disabled.disabled_at
        assert opened
        assert again == disabled == opened.endpoint
        assert enabled == made

    async def test_another_tenants_endpoint_is_no_ones(
        self, endpoints: Endpoints, tenant: str, other_tenant: str
    ) -> None:
        made = an_endpoint()
        await endpoints.create(tenant, made, secret="a secret of sixteen")

        with pytest.raises(ItemNotFound):
            await endpoints.rotate(other_tenant, made.endpoint_id, secret="theirs", overlap_s=0)
        with pytest.raises(ItemNotFound):
            await endpoints.enable(other_tenant, made.endpoint_id, enabled=False)

        opened = await endpoints.opened(made.endpoint_id)
        assert opened
        assert opened.endpoint == made
        assert [secret.text for secret in opened.secrets] == ["a secret of sixteen"]
