"""A file in a request: as its body, the format told by Content-Type, or as the part ``file`` of a form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from labeling.errors import InvalidInput

FORM = "multipart/form-data"
SUFFIXES = {
    "text/csv": ".csv",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PART = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}


@dataclass(frozen=True, slots=True)
class Upload:
    """``name`` ends in what says its format."""

    name: str
    content: bytes

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """The file, as long as the block runs. An InvalidInput of the block names it without our folder."""
        with TemporaryDirectory(prefix="goldfold-") as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.content)
            try:
                yield path
            except InvalidInput as error:
                told = (one.replace(f"{folder}/", "") for one in (str(error), *error.problems))
                raise InvalidInput(next(told), tuple(told)) from error


async def upload(request: Request) -> Upload:
    """The file of a request, whose size the app bounds (setting max_body_bytes). Raises InvalidInput for another kind
    of body, or a name that could lead anywhere."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        async with request.form(max_files=1, max_fields=1) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise InvalidInput("file: the form has no file of that name; send it as -F file=@predictions.csv")
            return Upload(_checked(part.filename or ""), await part.read())
    if kind not in SUFFIXES:
        raise InvalidInput(f"content-type: {kind or 'none'!r}: send one of {', '.join([*SUFFIXES, FORM])}")
    return Upload(f"predictions{SUFFIXES[kind]}", await request.body())


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"file: {name!r}: use a name of letters, digits, dot, dash and underscore, 100 at most")
    return name


def request_body(example: str) -> dict[str, Any]:
    """OpenAPI's description of such a body; ``example``: a CSV."""
    binary: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = dict.fromkeys(SUFFIXES, binary) | {FORM: {"schema": PART}}
    content["text/csv"] = {"schema": {"type": "string"}, "example": example}
    return {"requestBody": {"required": True, "content": content}}
