"""What the engine found in, Qdrant's response JSON out; ids stay UUIDs, which orjson writes as text."""

from collections.abc import Iterable
from typing import cast

import qdrant_edge as qe

Json = dict[str, object]


def record(found: qe.Record) -> Json:
    return {"id": found.id, "payload": found.payload, "vector": _vector(found.vector)}


def scored_point(found: qe.ScoredPoint) -> Json:
    return {
        "id": found.id,
        "version": found.version,
        "score": found.score,
        "payload": found.payload,
        "vector": _vector(found.vector),
    }


def scored_points(found: Iterable[qe.ScoredPoint]) -> Json:
    return {"points": [scored_point(point) for point in found]}


def facet(found: qe.FacetResponse) -> Json:
    # Counting exactly, the engine still lists a value after its last point is gone, with a count of 0.
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in found.hits if hit.count]}


def description(info: "qe.ShardInfo", config: Json, *, optimising: bool) -> Json:
    """What `GET /collections/{c}` answers; the figures that no request can set are Qdrant's defaults."""
    return {
        "status": "yellow" if optimising else "green",
        "optimizer_status": "ok",
        "points_count": info.points_count,
        "indexed_vectors_count": info.indexed_vectors_count,
        "segments_count": info.segments_count,
        "payload_schema": {name: _index(index) for name, index in info.payload_schema.items()},
        "config": {
            "params": {
                "vectors": config.get("vectors") or {},
                "sparse_vectors": config.get("sparse_vectors"),
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 1_000,
                "default_segment_number": 0,
                "flush_interval_sec": 5,
            },
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        },
    }


def _index(index: "qe.PayloadIndexInfo") -> Json:
    # The engine's enums are no Python enums: their text is all that names a member.
    return {"data_type": str(index.data_type).rpartition(".")[2].lower(), "points": index.points}


def _vector(value: "qe.Vector | qe.SparseVector | None") -> object:
    if isinstance(value, qe.SparseVector):
        return {"indices": value.indices, "values": value.values}
    if isinstance(value, dict):
        return {name: _vector(cast("qe.Vector", item)) for name, item in value.items()}
    return value
