"""How a tenant lets us ask a source's own API: where it is, and the credentials of its account there."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from apex_memory.domain.value import Value

#: What becomes part of a header: printable ASCII, so that no line of its own can be smuggled in.
_Token = Annotated[str, Field(repr=False, min_length=1, max_length=2_048, pattern=r"^[!-~]+$")]
_Text = Annotated[str, Field(repr=False, min_length=1, max_length=1_024)]


class _Secrets(Value):
    """Of what is wrong with one, only the place is told."""

    model_config = ConfigDict(hide_input_in_errors=True)


class BearerCredentials(_Secrets):
    """A token that is sent as it is: Samsara, Front."""

    token: _Token


class TurvoCredentials(_Secrets):
    """What Turvo gives a token of hours for, and the key that it wants beside that."""

    username: _Text
    password: _Text
    client_id: _Text
    client_secret: _Text
    api_key: _Token


Credentials = BearerCredentials | TurvoCredentials


class Connection(Value):
    """A tenant's account at a source. base_url: one of those that the source is known by, without a slash."""

    source: str
    base_url: str
    created_at: datetime
    updated_at: datetime


class OpenedConnection(Value):
    """A connection with the credentials that it is used with."""

    connection: Connection
    credentials: Credentials = Field(repr=False)
