"""A source in, where its own API may be asked and what an account there is opened with out."""

from collections.abc import Mapping, Sequence
from typing import Final

from apex_memory.domain.connections import BearerCredentials, Credentials, TurvoCredentials
from apex_memory.domain.errors import SettingMissing

_SETTING: Final = "APEX_SOURCE_API_URLS"

#: Nobody else chooses whom we ask with a tenant's credentials: not a payload, and not the tenant. The first
#: is the usual one.
_BASES: Final[Mapping[str, tuple[str, ...]]] = {
    "frontapp": ("https://api2.frontapp.com",),
    "samsara": ("https://api.samsara.com", "https://api.eu.samsara.com"),
    "turvo": ("https://publicapi.turvo.com/v1", "https://my-sandbox-publicapi.turvo.com/v1"),
}
CREDENTIALS_OF: Final[Mapping[str, type[Credentials]]] = {
    "frontapp": BearerCredentials,
    "samsara": BearerCredentials,
    "turvo": TurvoCredentials,
}

Bases = Mapping[str, Sequence[str]]


def bases_with(listed: str) -> Bases:
    """The known bases of each source, then those of the setting: `source=url`, with commas between.

    Raises:
        SettingMissing: the setting is malformed, or names a source that has no API.
    """
    bases: dict[str, list[str]] = {source: [*known] for source, known in _BASES.items()}
    for entry in filter(None, (part.strip() for part in listed.split(","))):
        source, _, url = entry.partition("=")
        if source not in bases or not url.startswith(("https://", "http://")):
            problem = f"expected source=url with commas between; the sources are {', '.join(bases)}"
            raise SettingMissing([f"{_SETTING}: {problem}"], env_file="apex.env")
        bases[source].append(url.rstrip("/"))
    return bases


def no_longer_listed() -> SettingMissing:
    """A connection was made to a base that the operator has taken back since."""
    return SettingMissing([f"{_SETTING}: does not list the URL of this connection"], env_file="apex.env")
