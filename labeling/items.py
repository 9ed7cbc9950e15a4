"""One row of content made an ``Item``: every field checked, every problem named with its row and its cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from labeling.errors import InvalidInput
from labeling.records import Item

COLUMNS = (
    "external_id",
    "text",
    "media",
    "modality",
    "language",
    "market",
    "surface",
    "views",
    "created_at",
    "policies",
    "author",
)
MAX_WORD_CHARS = 512  # external_id, market, surface and author are keys and labels, not content
MAX_MEDIA_CHARS = 2048
MAX_DATA_CHARS = 4_000_000  # a data: URI is kept in the lake: a picture of up to 3 MB
MODALITIES = ("text", "image", "video")
MAX_VIEWS = 2**63 - 1  # what a 64-bit column holds

_MODALITY_OF_SUFFIX = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".gif"), "image"),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts"), "video"),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one row. ``row`` counts from 1; ``field`` is empty when the whole row cannot be read.
    ``duplicate``: the row repeats an ``external_id`` with other content."""

    row: int
    field: str
    message: str
    duplicate: bool = False

    def __str__(self) -> str:
        where = self.field if self.field in COLUMNS else _short(self.field)
        return f"row {self.row}: {where}: {self.message}" if self.field else f"row {self.row}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Limits:
    max_text_chars: int
    policies: Collection[str]


class _Refused(ValueError):
    """A field breaks a rule; the text says which, and the cure."""


def item_id_of(external_id: str) -> str:
    """The item's id: the same for the same external id, on every machine."""
    return f"it_{sha256(external_id.encode()).hexdigest()[:20]}"


def build_item(row: Mapping[str, object], row_number: int, max_text_chars: int, policies: Collection[str]) -> Item:
    """The item a row describes. ``policies`` are the policy ids there are; None values count as absent.

    Raises InvalidInput whose ``problems`` name the row and every field that breaks a rule.
    """
    made = parse_row(row, row_number, max_text_chars, policies)
    if isinstance(made, Item):
        return made
    problems = tuple(str(problem) for problem in made)
    raise InvalidInput("; ".join(problems), problems)


def parse_row(
    row: Mapping[str, object], row_number: int, max_text_chars: int, policies: Collection[str]
) -> Item | list[Problem]:
    """As ``build_item``, but the problems come back as values, for callers that collect them."""
    limits = _Limits(max_text_chars, policies)
    problems = [Problem(row_number, name, _unknown_column(name)) for name in row if name not in _CHECKS]
    found: dict[str, object] = {}
    for name, check in _CHECKS.items():
        value = row.get(name)
        if name == "text" and row.get("media") is not None and (value is None or _is_blank(value)):
            continue  # a picture needs no caption
        if value is None and name not in _REQUIRED:
            continue
        try:
            found[name] = check(value, limits)
        except _Refused as refused:
            problems.append(Problem(row_number, name, str(refused)))
    if not problems and (name_and_fault := _modality_fault(found)):
        problems.append(Problem(row_number, *name_and_fault))
    return problems or _item(found)


def _item(found: dict[str, object]) -> Item:
    external_id, text, media = (str(found.get(name, "")) for name in ("external_id", "text", "media"))
    modality = str(found.get("modality", modality_of(media) if media else "text"))
    said = f"{modality}\0{media}\0{text}" if media else text  # no field holds a NUL
    made = {
        "item_id": item_id_of(external_id),
        "content_hash": sha256(said.encode()).hexdigest(),
        "text": text,
        "modality": modality,
    }
    return Item(**{**found, **made})  # type: ignore[arg-type]


def modality_of(media: str) -> str:
    """What the end of a file's name says it is: image, video, or nothing, as for what is no URL after all."""
    try:
        name = urlsplit(media).path if "://" in media else media
    except ValueError:  # such as http://[
        return ""
    return _MODALITY_OF_SUFFIX.get(PurePosixPath(name).suffix.lower(), "") if not media.startswith("data:") else ""


def _modality_fault(found: Mapping[str, object]) -> tuple[str, str] | None:
    """The field that does not go with the others, and why."""
    media, modality = str(found.get("media", "")), found.get("modality")
    if not media and modality in ("image", "video"):
        return "media", f"is missing; an item that is {modality} needs it"
    if media and modality == "text":
        return "modality", "is 'text', but there is media; write image or video, or drop media"
    if media and modality is None and not modality_of(media):
        return "modality", f"cannot be told from media (known: {', '.join(_MODALITY_OF_SUFFIX)}); write image or video"
    return None


def _unknown_column(name: str) -> str:
    near = get_close_matches(name, COLUMNS, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown column{meant} (known: {', '.join(COLUMNS)}; drop or map the others)"


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _string(value: object) -> str:
    if value is None:
        raise _Refused("is missing; every row needs it")
    if not isinstance(value, str):
        raise _Refused(f"expected text, found {type(value).__name__}")
    if "\x00" in value:
        raise _Refused("holds a NUL byte; remove it")
    if not value.isascii() and _SURROGATE.search(value):
        raise _Refused("holds half of a surrogate pair, which is no character; write the text as valid UTF-8")
    return value


def _text(value: object, limits: _Limits) -> str:
    text, max_chars = _string(value), limits.max_text_chars
    if not text.strip():
        raise _Refused("is empty; drop the row or fill it in")
    if len(text) > max_chars:
        raise _Refused(f"is {len(text)} characters long, over the setting max_text_chars = {max_chars}; shorten it")
    return text


def _word(value: object, _: _Limits) -> str:
    word = _string(value)
    if _CONTROL.search(word):
        raise _Refused("holds a control character such as a line break; remove it")
    if len(word) > MAX_WORD_CHARS:
        raise _Refused(f"is {len(word)} characters long; at most {MAX_WORD_CHARS} are kept")
    return word


def _external_id(value: object, limits: _Limits) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # databases number their rows
    word = _word(value, limits)
    if not word.strip():
        raise _Refused("is empty; give the row a key of your own")
    return word


def _media(value: object, _: _Limits) -> str:
    media = _string(value)
    if _CONTROL.search(media):
        raise _Refused("holds a control character such as a line break; remove it")
    if not media.strip():
        raise _Refused("is empty; leave it out, or say where the file is")
    most = MAX_DATA_CHARS if media.startswith("data:") else MAX_MEDIA_CHARS
    if len(media) > most:
        raise _Refused(f"is {len(media)} characters long; at most {most} are kept")
    if not media.startswith("data:") and "://" in media and not media.lower().startswith(("http://", "https://")):
        raise _Refused("is of a kind that is not read; write a path below media_dir, a data: URI or an http(s) URL")
    return media


def _modality(value: object, _: _Limits) -> str:
    modality = _string(value)
    if modality not in MODALITIES:
        raise _Refused(f"{_short(modality)} is unknown; write one of {', '.join(MODALITIES)}")
    return modality


def _language(value: object, _: _Limits) -> str:
    return _language_tag(_string(value))


@lru_cache(maxsize=256)  # a file has few of them and many rows
def _language_tag(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise _Refused(f"{_short(tag)} is no language tag; write one such as 'en', 'pt-BR' or 'und' (unknown)")
    first, *rest = tag.split("-")
    cases = {2: str.upper, 4: str.title}  # RFC 5646, section 2.1.1
    return "-".join([first.lower(), *(cases.get(len(part), str.lower)(part) for part in rest)])


def _views(value: object, _: _Limits) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of whole numbers with gaps comes as floats from many tools
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_VIEWS:
        raise _Refused(f"{_short(value)} is no count; write a whole number of 0 or more")
    return value


def _created_at(value: object, _: _Limits) -> datetime:
    cure = "write ISO 8601 with a zone, such as 2026-01-31T12:00:00Z"
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(_string(value).strip())
        except ValueError as error:
            if isinstance(error, _Refused):
                raise
            raise _Refused(f"{_short(value)} is no time; {cure}") from error
    if value.tzinfo is None:
        raise _Refused(f"{value.isoformat()} has no time zone; {cure}")
    try:
        moment = value.astimezone(UTC)
    except OverflowError as error:
        raise _Refused(f"{value.isoformat()} is outside the calendar in UTC; {cure}") from error
    return datetime.combine(moment.date(), moment.timetz())  # plain, where a table's own subclass came in


def _policies(value: object, limits: _Limits) -> tuple[str, ...]:
    known = limits.policies
    names = [name.strip() for name in _string(value).split(";")] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise _Refused("expected a list of policy ids, or one string such as 'spam;violence'")
    kept = tuple(dict.fromkeys(name for name in names if name))
    for name in kept:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise _Refused(f"unknown policy {_short(name)}{meant} (known: {', '.join(sorted(known))})")
    return kept


def _short(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_REQUIRED = ("external_id", "text")
_CHECKS: dict[str, Callable[[object, _Limits], object]] = {
    "external_id": _external_id,
    "text": _text,
    "media": _media,
    "modality": _modality,
    "language": _language,
    "market": _word,
    "surface": _word,
    "views": _views,
    "created_at": _created_at,
    "policies": _policies,
    "author": _word,
}
