"""A tenant's account at Turvo in, a token that is good for now out; kept in memory, and nowhere else."""

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apex_memory.domain.connections import TurvoCredentials
from apex_memory.domain.errors import ItemNotFound, SourceRefused, SourceUnavailable

SOURCE: Final = "turvo"
#: A token lives for 12 hours, and is not used in the last minute.
_MARGIN_S: Final = 60.0
#: If Turvo does not say.
_LIFE_S: Final = 600.0
#: Accounts whose tokens are kept at a time; the one that was unused for longest logs in anew.
_MOST: Final = 1024
_UNAUTHORIZED: Final = 401
_TOKEN: Final = re.compile(r"[!-~]{1,8192}")

Ask = Callable[..., Awaitable[Mapping[str, object]]]


@dataclass
class _Login:
    """lock: of several who need a token at once, one logs in."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    until: float = -math.inf


class Logins:
    """Tokens by tenant and account: who mends the credentials is not served with what the old ones got."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str, TurvoCredentials], _Login] = OrderedDict()

    async def token(
        self, tenant_id: str, base_url: str, account: TurvoCredentials, *, instead_of: str | None = None
    ) -> str:
        """`instead_of`: a token that Turvo does not take any more. Raises what `ports.SourceApi.get` does."""
        login = self._login(tenant_id, base_url, account)
        async with login.lock:
            if login.token in {"", instead_of} or self._clock() >= login.until:
                answer = await self._asked(base_url, account)
                login.token, login.until = _token(answer), self._clock() + _life_s(answer)
            return login.token

    def _login(self, tenant_id: str, base_url: str, account: TurvoCredentials) -> _Login:
        key = tenant_id, base_url, account
        login = self._kept.setdefault(key, _Login())
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return login

    async def _asked(self, base_url: str, account: TurvoCredentials) -> Mapping[str, object]:
        # Not in the query, where Turvo's own examples have two of them: URLs are logged on the way.
        wish: dict[str, Any] = {
            "grant_type": "password",
            **account.model_dump(exclude={"api_key"}),
            "scope": "read+trust+write",
            "type": "business",
        }
        headers = {"x-api-key": account.api_key}
        try:
            return await self._ask(SOURCE, "POST", f"{base_url}/oauth/token", json=wish, headers=headers)
        except (SourceRefused, ItemNotFound):
            # OAuth tells of a wrong password with 400: whatever is refused here, the credentials are.
            raise SourceRefused(SOURCE, _UNAUTHORIZED) from None


def _token(answer: Mapping[str, object]) -> str:
    token = answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise SourceUnavailable(SOURCE, "a login without a token")
    return token


def _life_s(answer: Mapping[str, object]) -> float:
    match answer.get("expires_in"):
        case bool():
            life = _LIFE_S
        case int() | float() as life:
            pass
        case _:
            life = _LIFE_S
    return max(life - _MARGIN_S, 0.0)
