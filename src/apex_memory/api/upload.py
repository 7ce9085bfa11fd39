"""A multipart body in, one file and its fields out; it goes to disk while it comes, up to a limit."""

import mimetypes
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from apex_memory.api.body import capped, media_type, too_large
from apex_memory.api.models import ProblemDetail
from apex_memory.api.problems import Refused

DEFAULT_SOURCE: Final = "local_upload"
MAX_NAME_CHARS: Final = 255
#: What boundaries, part headers and the two fields may take beyond the file.
_ENVELOPE_BYTES: Final = 64 << 10
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_UNKNOWN: Final = "application/octet-stream"


@dataclass(frozen=True)
class Upload:
    """One file, whole, and what its sender says of it."""

    data: bytes
    name: str
    media_type: str
    source: str
    external_id: str


async def read_upload(request: Request, *, max_bytes: int) -> Upload:
    """Raises Refused: 400 unreadable, 413 too large, 415 no multipart, 422 no file or malformed fields."""
    if media_type(request) != "multipart/form-data":
        detail = "Send the document as multipart/form-data, in the part `file`."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    pieces = capped(request, limit=max_bytes + _ENVELOPE_BYTES)
    parser = MultiPartParser(request.headers, pieces, max_files=1, max_fields=2, max_part_size=4096)
    try:
        return await _upload(await parser.parse(), max_bytes=max_bytes)
    except MultiPartException as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The multipart body cannot be read: {exc.message}.") from None
    finally:
        # The parser closes them after errors of its own only, not when a body is cut off or refused.
        for file in parser._files_to_close_on_error:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            file.close()


async def _upload(form: FormData, *, max_bytes: int) -> Upload:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise _malformed("file", "required: a part with a file name")
    if file.size is not None and file.size > max_bytes:
        raise too_large(max_bytes)
    name = _name("file", re.split(r"[/\\]", file.filename or "")[-1])
    source = form.get("source", DEFAULT_SOURCE)
    if not isinstance(source, str) or not _SOURCE.fullmatch(source):
        raise _malformed("source", "expected 1 to 64 of a-z, 0-9, _ and -")
    data = await file.read()
    if not data:
        raise _malformed("file", "the file is empty")
    return Upload(
        data=data,
        name=name,
        media_type=_media_type(file.content_type, name),
        source=source,
        external_id=_name("external_id", form.get("external_id", name)),
    )


def _name(field: str, value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS and value.isprintable():
        return value
    raise _malformed(field, f"expected a printable name of 1 to {MAX_NAME_CHARS} characters")


def _media_type(given: str | None, name: str) -> str:
    """As the sender says; where they say nothing, as the name does."""
    stated = (given or _UNKNOWN).partition(";")[0].strip().lower()
    return stated if stated != _UNKNOWN else mimetypes.guess_type(name)[0] or _UNKNOWN


def _malformed(field: str, problem: str) -> Refused:
    error = ProblemDetail(detail=problem, pointer=f"/{field}")
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"The part `{field}` is malformed.", errors=[error])
