"""Secrets in, what may be kept of them out: sealed with a key that no store holds."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from apex_memory.domain.errors import SettingMissing
from apex_memory.settings import Settings

_SETTING = "APEX_SECRETS_KEY"


class Seal:
    """Fernet: AES-128-CBC and HMAC-SHA256. Of several keys the first seals and all open."""

    def __init__(self, keys: str | None) -> None:
        """Raises SettingMissing: a key is malformed. Without one, only the use of the seal fails."""
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")]) if keys else None
        except ValueError as exc:
            raise _missing("is no Fernet key: 32 bytes in URL-safe base64") from exc

    def sealed(self, secret: str) -> bytes:
        """Raises SettingMissing."""
        return self._keyed().encrypt(secret.encode())

    def opened(self, sealed: bytes) -> str:
        """Raises SettingMissing: also if it was sealed with a key that is not among ours."""
        try:
            return self._keyed().decrypt(sealed).decode()
        except InvalidToken as exc:
            raise _missing("does not open a secret that was sealed with another key") from exc

    def _keyed(self) -> MultiFernet:
        if self._fernet is None:
            raise _missing("is needed to keep secrets of webhook senders; `apex dev up` makes one")
        return self._fernet


def seal_of(settings: Settings) -> Seal:
    """Raises SettingMissing: a key is malformed."""
    return Seal(settings.secrets_key.get_secret_value() if settings.secrets_key else None)


def new_key() -> str:
    """A key for the setting."""
    return Fernet.generate_key().decode()


def _missing(problem: str) -> SettingMissing:
    return SettingMissing([f"{_SETTING}: {problem}"], env_file="apex.env")
