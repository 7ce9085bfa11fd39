"""What every Projection keeps to beside the Store's promises; inherit, and give the fixture `projection`."""

from dataclasses import replace

from tests.contracts.writes import INVOICE, LATE, bare, fresh_tenant, message, write_of

from apex_memory.domain.bundles import Bundle
from apex_memory.ports import Projection


def rewritten(bundle: Bundle) -> Bundle:
    """As many parts, under the same ids, that say something else."""
    claims = tuple(claim.model_copy(update={"fact": f"not so: {claim.fact}"}) for claim in bundle.claims)
    passages = tuple(p.model_copy(update={"text": f"Not so. {p.text}"}) for p in bundle.passages)
    return bundle.model_copy(update={"claims": claims, "passages": passages})


class ProjectionContract:
    async def test_what_was_prepared_is_not_altered(self, projection: Projection) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}")) for n in range(60)]
        writes.append(write_of(tenant, message("long", texts=tuple(f"{LATE} {n}" for n in range(300)))))
        writes.append(write_of(tenant, bare()))
        await projection.prepare(writes)

        assert await projection.altered(writes) == []

    async def test_other_content_under_the_same_ids_is_found(self, projection: Projection) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}", texts=(LATE, INVOICE))) for n in range(3)]
        await projection.prepare(writes)
        await projection.prepare([write_of(tenant, rewritten(writes[1].bundle))])

        assert await projection.altered(writes) == [writes[1].ref]

        await projection.prepare(writes)
        assert await projection.altered(writes) == []

    async def test_what_is_not_there_is_altered(self, projection: Projection) -> None:
        write = write_of(fresh_tenant(), message())

        assert await projection.altered([write]) == [write.ref]

    async def test_nothing_is_compared_across_tenants(self, projection: Projection) -> None:
        ours = write_of(fresh_tenant(), message())
        theirs = replace(write_of(fresh_tenant(), rewritten(message())), ref=ours.ref)
        await projection.prepare([ours, theirs])

        assert await projection.altered([ours]) == []
        assert await projection.altered([theirs]) == []
