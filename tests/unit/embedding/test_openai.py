"""The OpenAI embedder against a local server that speaks the real wire format."""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Final

import numpy as np
import pytest
from tests.contracts.embedder_contract import EmbedderContract
from tests.doubles import openai as double_of
from tests.doubles.openai import Answer, OpenAIDouble, unit_vector

from apex_memory.domain.errors import ProviderRefused, RateLimited, StoreUnavailable
from apex_memory.pipeline.embedding.openai import OpenAIEmbedder, batches
from apex_memory.ports import Embedder

Make = Callable[..., OpenAIEmbedder]


@pytest.fixture
async def make(double: OpenAIDouble) -> AsyncGenerator[Make, None]:
    """Embedders that speak to the double, or to another base_url, closed after the test."""
    async with AsyncExitStack() as stack:

        def make(
            *,
            model: str = "text-embedding-3-small",
            dim: int = 1536,
            base_url: str = "",
            timeout_s: float = 30,
        ) -> OpenAIEmbedder:
            embedder = OpenAIEmbedder(
                api_key="sk-test",
                base_url=base_url or double.base_url,
                model=model,
                dim=dim,
                timeout_s=timeout_s,
            )
            stack.push_async_callback(embedder.aclose)
            return embedder

        yield make


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, make: Make) -> Embedder:
        return make()


async def test_vectors_come_back_in_input_order(make: Make, double: OpenAIDouble) -> None:
    vectors = await make().embed(["b", "a", "b"])

    assert vectors.dtype == np.float32
    assert np.allclose(vectors, [unit_vector(text) for text in ("b", "a", "b")], atol=1e-6)
    assert double.authorizations == ["Bearer sk-test"]


async def test_the_request_asks_for_base64_and_the_configured_dimension(
    make: Make, double: OpenAIDouble
) -> None:
    embedder = make(dim=256)

    vectors = await embedder.embed(["text"])

    assert double.requests == [
        {"model": "text-embedding-3-small", "input": ["text"], "dimensions": 256, "encoding_format": "base64"}
    ]
    assert embedder.id == "openai:text-embedding-3-small:256"
    assert vectors.shape == (1, embedder.dim)


async def test_a_model_that_cannot_be_asked_for_a_dimension_is_not(make: Make, double: OpenAIDouble) -> None:
    await make(model="text-embedding-ada-002").embed(["text"])

    assert "dimensions" not in double.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(double_of.vectors(scale=7.5), id="not normalised"),
        pytest.param(double_of.vectors(as_numbers=True), id="as JSON numbers"),
        pytest.param(double_of.vectors(shuffled=True), id="out of order"),
    ],
)
async def test_vectors_are_taken_however_they_are_sent(
    make: Make, double: OpenAIDouble, answer: Answer
) -> None:
    double.plan(answer)

    vectors = await make().embed(["one", "two"])

    assert np.allclose(vectors, [unit_vector("one"), unit_vector("two")], atol=1e-6)


async def test_no_text_means_no_request(make: Make, double: OpenAIDouble) -> None:
    vectors = await make().embed([])

    assert vectors.shape == (0, 1536)
    assert double.requests == []


async def test_a_blank_text_is_sent_as_something_the_api_takes(make: Make, double: OpenAIDouble) -> None:
    vectors = await make().embed(["", "\n "])

    assert vectors.shape == (2, 1536)
    assert all(text.strip() for text in double.requests[0]["input"])


async def test_a_text_beyond_the_limit_is_cut_between_two_characters(
    make: Make, double: OpenAIDouble
) -> None:
    await make().embed(["x" + "é" * 5000])

    assert double.requests[0]["input"] == ["x" + "é" * 4095]


async def test_many_texts_are_sent_in_several_requests_and_come_back_as_one(
    make: Make, double: OpenAIDouble
) -> None:
    texts = [f"text {n}" for n in range(2050)]

    vectors = await make(dim=8).embed(texts)

    assert [len(request["input"]) for request in double.requests] == [2048, 2]
    assert np.allclose(
        vectors[[0, 2047, 2048, 2049]], [unit_vector(texts[n], 8) for n in (0, 2047, 2048, 2049)]
    )


def test_a_request_holds_at_most_300000_bytes_and_so_tokens() -> None:
    sizes = [sum(len(text.encode()) for text in batch) for batch in batches(["é" * 4000] * 100)]

    assert max(sizes) <= 300_000
    assert sum(sizes) == 800_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after-ms": "50", "retry-after": "1"}, 0.05, id="milliseconds win"),
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "-3"}, 0.0, id="negative"),
        pytest.param({"retry-after": "Fri, 20 Nov 2020 00:00:00 GMT"}, 0.0, id="a date gone by"),
        pytest.param({"retry-after": "soon"}, 10.0, id="no date"),
        pytest.param({"retry-after": "nan"}, 10.0, id="no number"),
        pytest.param({}, 10.0, id="nothing said"),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(
    make: Make, double: OpenAIDouble, headers: dict[str, str], seconds: float
) -> None:
    double.plan(double_of.rate_limited(headers))

    with pytest.raises(RateLimited) as caught:
        await make().embed(["text"])

    assert caught.value.retry_after_s == pytest.approx(seconds)
    assert len(double.requests) == 1


OUTAGES: Final = {
    "500": (double_of.server_error(), "The server had an error"),
    "503": (double_of.server_error(503), "The server had an error"),
    "408": (double_of.failure(408, "too slow", code=None, kind=""), "too slow"),
    "a proxy's page": (double_of.page("<html>down for maintenance</html>"), "not a list of embeddings"),
    "too few": (double_of.vectors_for_the_first(1), "1 embeddings came back for 2 texts"),
    "zero": (double_of.vectors(scale=0.0), "no direction"),
    "NaN": (double_of.vectors(scale=float("nan")), "no direction"),
}
REFUSALS: Final = {
    "wrong key": (double_of.wrong_key(), "Incorrect API key"),
    "bad request": (double_of.bad_request("maximum context length"), "maximum context length"),
    "no quota": (double_of.out_of_quota(), "exceeded your current quota"),
    "wrong dimension": (double_of.vectors(dim=512), "512 dimensions, 1536 are configured"),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_worth_another_try_but_not_here(
    make: Make, double: OpenAIDouble, outage: str
) -> None:
    answer, reason = OUTAGES[outage]
    double.plan(answer)

    with pytest.raises(StoreUnavailable, match=reason):
        await make().embed(["one", "two"])

    assert len(double.requests) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_is_for_good(make: Make, double: OpenAIDouble, refusal: str) -> None:
    answer, reason = REFUSALS[refusal]
    double.plan(answer)

    with pytest.raises(ProviderRefused, match=reason):
        await make().embed(["one", "two"])

    assert len(double.requests) == 1


async def test_a_server_that_never_answers_is_unavailable(make: Make, double: OpenAIDouble) -> None:
    double.plan(double_of.silence())

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await make(timeout_s=0.2).embed(["text"])


async def test_a_server_that_is_not_there_is_unavailable(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(StoreUnavailable, match="openai is unavailable"):
        await make(base_url=f"http://127.0.0.1:{port}/v1").embed(["text"])


async def test_after_a_failure_the_same_embedder_works_again(make: Make, double: OpenAIDouble) -> None:
    embedder = make()
    double.plan(double_of.server_error())
    with pytest.raises(StoreUnavailable):
        await embedder.embed(["text"])

    vectors = await embedder.embed(["text"])

    assert np.allclose(vectors, [unit_vector("text")], atol=1e-6)
