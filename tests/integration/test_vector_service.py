"""What the vector service promises of each request, asked by Qdrant's unmodified client."""

import json
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.version_check import is_compatible
from qdrant_client.http.exceptions import UnexpectedResponse

from apex_memory.devstack.vectors.process import ServiceProcess

pytestmark = pytest.mark.integration

PLANE = {"v": models.VectorParams(size=2, distance=models.Distance.DOT)}
TERMS = {"t": models.SparseVectorParams(modifier=models.Modifier.IDF)}


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    async with ServiceProcess.started(tmp_path_factory.mktemp("vectors")) as service:
        yield service.url


@pytest.fixture(scope="module")
async def client(url: str) -> AsyncGenerator[AsyncQdrantClient]:
    # Without limits the client leaves out keep-alive for localhost.
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4)
    client = AsyncQdrantClient(url=url, limits=limits, check_compatibility=False)
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def http(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url) as http:
        yield http


@pytest.fixture
async def points(client: AsyncQdrantClient) -> AsyncGenerator[str]:
    """An empty collection with a dense and a sparse vector."""
    name = "points"
    await client.create_collection(name, vectors_config=PLANE, sparse_vectors_config=TERMS)
    yield name
    await client.delete_collection(name)


def point(number: int, terms: list[int] | None = None, **payload: Any) -> models.PointStruct:
    vector: dict[str, Any] = {"v": [1.0, float(number)]}
    if terms is not None:
        vector["t"] = models.SparseVector(indices=terms, values=[1.0] * len(terms))
    return models.PointStruct(id=number, vector=vector, payload=payload)


async def with_term(client: AsyncQdrantClient, points: str, term: int) -> dict[Any, float]:
    asked = models.SparseVector(indices=[term], values=[1.0])
    return {found.id: found.score for found in (await client.query_points(points, asked, using="t")).points}


async def refusal(http: httpx.AsyncClient, method: str, path: str, body: str) -> tuple[int, str]:
    """What a request that the client itself would never send is answered."""
    answer = await http.request(method, path, content=body)
    return answer.status_code, answer.json()["status"]["error"]


async def test_a_boolean_matches_itself(client: AsyncQdrantClient, points: str) -> None:
    await client.upsert(points, [point(1, live=True), point(2, live=False), point(3)])

    live = models.Filter(must=[models.FieldCondition(key="live", match=models.MatchValue(value=True))])
    found, _ = await client.scroll(points, live)

    assert [record.id for record in found] == [1]


async def test_a_replaced_sparse_vector_no_longer_matches_by_its_old_terms(
    client: AsyncQdrantClient, points: str
) -> None:
    await client.upsert(points, [point(1, [1, 2]), point(2, [2])])

    await client.upsert(points, [point(1, [3])])

    assert await with_term(client, points, 1) == {}
    assert set(await with_term(client, points, 2)) == {2}
    assert set(await with_term(client, points, 3)) == {1}


async def test_a_sparse_vector_given_up_and_given_again_matches_by_its_new_terms_only(
    client: AsyncQdrantClient, points: str
) -> None:
    await client.upsert(points, [point(1, [1])])
    await client.upsert(points, [point(1)])
    await client.upsert(points, [point(1, [2])])

    assert await with_term(client, points, 1) == {}
    assert set(await with_term(client, points, 2)) == {1}


@pytest.mark.parametrize("by_filter", [False, True])
async def test_a_deleted_point_no_longer_counts_for_idf(
    client: AsyncQdrantClient, points: str, *, by_filter: bool
) -> None:
    kept = [point(1, [7, 8]), point(2, [8]), point(3, [9])]
    await client.upsert(points, kept)
    alone = await with_term(client, points, 7)
    await client.upsert(points, [point(number, [7], doomed=True) for number in range(10, 40)])
    doomed = models.Filter(must=[models.FieldCondition(key="doomed", match=models.MatchValue(value=True))])
    selector = (
        models.FilterSelector(filter=doomed) if by_filter else models.PointIdsList(points=[*range(10, 40)])
    )

    await client.delete(points, selector)

    assert await with_term(client, points, 7) == alone


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e39", "1e400", "null", '"1"', "true"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/points", '{"points": [{"id": 1, "vector": {"v": [0, %s]}}]}'),
        ("PUT", "/points", '{"points": [{"id": 1, "vector": {"t": {"indices": [1], "values": [%s]}}}]}'),
        ("POST", "/points/query", '{"query": [0, %s], "using": "v"}'),
    ],
)
async def test_a_number_that_is_no_finite_float_is_refused(
    http: httpx.AsyncClient, points: str, number: str, method: str, path: str, body: str
) -> None:
    status, _ = await refusal(http, method, f"/collections/{points}{path}", body % number)

    assert status == 400


async def test_an_upsert_with_one_bad_point_changes_nothing(client: AsyncQdrantClient, points: str) -> None:
    short = models.PointStruct(id=2, vector={"v": [1.0]})

    with pytest.raises(UnexpectedResponse, match="expected dim: 2, got 1") as refused:
        await client.upsert(points, [point(1), short])

    assert refused.value.status_code == 400
    assert (await client.count(points)).count == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        (
            "POST",
            "/points/query",
            {"query": [1, 2], "using": "v", "lookup_from": {"collection": "c"}},
            "lookup_from",
        ),
        (
            "POST",
            "/points/query",
            {"query": [1, 2], "using": "v", "params": {"acorn": {}}},
            "body.params.acorn",
        ),
        ("POST", "/points/query", {"query": {"recommend": {}}}, "recommend"),
        (
            "POST",
            "/points/query",
            {"query": [1, 2], "using": "v", "filter": {"min_should": {}}},
            "body.filter.min_should",
        ),
        ("POST", "/points/scroll", {"order_by": "n"}, "body.order_by"),
        (
            "POST",
            "/points/count",
            {"filter": {"must": {"key": "k", "geo_radius": {}}}},
            "body.filter.must[0].geo_radius",
        ),
        ("PUT", "/points", {"points": [], "update_mode": "insert_only"}, "body.update_mode"),
        ("PUT", "/points?strange=1", {"points": []}, "query parameter `strange`"),
        ("PUT", "/points/vectors", {}, "PUT /collections/points/points/vectors"),
        ("POST", "/points/query/groups", {}, "POST /collections/points/points/query/groups"),
        ("PATCH", "", {}, "PATCH /collections/points"),
    ],
)
async def test_what_it_does_not_know_is_named_and_not_ignored(
    http: httpx.AsyncClient, points: str, method: str, path: str, body: object, named: str
) -> None:
    status, error = await refusal(http, method, f"/collections/{points}{path}", json.dumps(body))

    assert status == 501
    assert named in error


async def test_setting_the_payload_of_a_missing_point_is_refused_and_changes_nothing(
    client: AsyncQdrantClient, points: str
) -> None:
    await client.upsert(points, [point(1)])

    with pytest.raises(UnexpectedResponse, match="No point with id 2") as refused:
        await client.set_payload(points, {"n": 1}, [1, 2])

    assert refused.value.status_code == 404
    assert (await client.retrieve(points, [1]))[0].payload == {}


async def test_a_collection_is_created_once_described_and_dropped(client: AsyncQdrantClient) -> None:
    await client.create_collection("c", vectors_config=PLANE, sparse_vectors_config=TERMS)
    with pytest.raises(UnexpectedResponse) as refused:
        await client.create_collection("c", vectors_config=PLANE)
    await client.create_payload_index(
        "c", "tenant", models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    )
    described = await client.get_collection("c")
    dropped = [await client.delete_collection("c"), await client.delete_collection("c")]

    assert refused.value.status_code == 409
    assert described.config.params.vectors == PLANE
    assert described.config.params.sparse_vectors == TERMS
    assert described.payload_schema["tenant"].data_type == models.PayloadSchemaType.KEYWORD
    assert dropped == [True, False]
    assert not await client.collection_exists("c")


async def test_a_batch_answers_as_its_queries_one_by_one(client: AsyncQdrantClient, points: str) -> None:
    await client.upsert(points, [point(number, [number % 3]) for number in range(9)])
    terms = models.SparseVector(indices=[1], values=[1.0])

    dense, sparse = await client.query_batch_points(
        points,
        [
            models.QueryRequest(query=[1.0, 2.0], using="v"),
            models.QueryRequest(query=terms, using="t", limit=2),
        ],
    )

    assert (
        dense.points == (await client.query_points(points, [1.0, 2.0], using="v", with_payload=False)).points
    )
    assert [found.score for found in sparse.points] == [*(await with_term(client, points, 1)).values()][:2]


async def test_a_facet_does_not_name_a_value_whose_last_point_is_gone(
    client: AsyncQdrantClient, points: str
) -> None:
    await client.create_payload_index(points, "kind", models.PayloadSchemaType.KEYWORD)
    await client.upsert(points, [point(n, kind=kind) for n, kind in enumerate("aabc")])

    await client.upsert(points, [point(2, kind="a")])
    await client.delete(points, models.PointIdsList(points=[3]))
    found = await client.facet(points, "kind", exact=True)

    assert {hit.value: hit.count for hit in found.hits} == {"a": 3}


async def test_a_collection_may_have_one_vector_without_a_name(client: AsyncQdrantClient) -> None:
    await client.create_collection("plain", vectors_config=PLANE["v"])
    await client.upsert("plain", [models.PointStruct(id=n, vector=[1.0, float(n)]) for n in range(3)])

    found = await client.query_points("plain", [0.0, 1.0], limit=1, with_vectors=True)

    assert [(best.id, best.vector) for best in found.points] == [(2, [1.0, 2.0])]
    await client.delete_collection("plain")


async def test_health_is_answered_and_the_clients_own_check_of_the_version_passes(
    client: AsyncQdrantClient, http: httpx.AsyncClient
) -> None:
    about = await client.info()

    assert about.title.startswith("qdrant")
    assert is_compatible(version("qdrant-client"), about.version)
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await http.get(path)).status_code == 200
