"""API keys in, the tenant they speak for out; only their hashes are kept."""

import hashlib
import hmac
import re
import secrets
import zlib
from typing import Final

from apex_memory.database import Database

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43  # 256 bits in base 62: no slow hash is needed for what nobody can guess
_SHAPE: Final = re.compile(r"apx_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})_([0-9a-f]{8})")

_ISSUE: Final = "INSERT INTO api_key (tenant_id, key_id, secret_hash, label) VALUES (%s, %s, %s, %s)"

_FIND: Final = """
SELECT tenant_id, secret_hash FROM api_key
WHERE key_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""


class PostgresApiKeys:
    """The port `ApiKeys` over PostgreSQL. A key reads `apx_<id>_<secret>_<crc32>`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, tenant_id: str, *, label: str) -> str:
        key_id, secret = _random(_ID_LENGTH), _random(_SECRET_LENGTH)
        async with self._database.connection() as connection:
            await connection.execute(_ISSUE, (tenant_id, key_id, _digest(secret), label))
        body = f"apx_{key_id}_{secret}"
        return f"{body}_{_crc(body)}"

    async def tenant_of(self, key: str) -> str | None:
        parsed = _parse(key)
        if parsed is None:
            return None
        key_id, secret = parsed
        async with self._database.connection() as connection:
            cursor = await connection.execute(_FIND, (key_id,))
            rows = await cursor.fetchall()
        digest = _digest(secret)
        return next((r["tenant_id"] for r in rows if hmac.compare_digest(r["secret_hash"], digest)), None)


def _parse(key: str) -> tuple[str, str] | None:
    """The key's id and secret; None for a typo, which its checksum tells without a look-up."""
    match = _SHAPE.fullmatch(key)
    if match is None or _crc(key.rpartition("_")[0]) != match[3]:
        return None
    return match[1], match[2]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _crc(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
