"""What every scorer of texts checks before it works."""

from __future__ import annotations

from collections.abc import Sequence


def check_ids(ids: Sequence[str], things: Sequence[object], noun: str = "texts") -> None:
    """Raises ValueError when there are not as many ``things`` (a ``noun``) as ids, or an id comes twice."""
    if len(ids) != len(things):
        raise ValueError(f"{len(ids)} ids but {len(things)} {noun}")
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    for item_id in ids:
        if item_id in seen:
            raise ValueError(f"id {item_id!r} comes more than once")
        seen.add(item_id)


def text_fault(text: object) -> str:
    """Why this cannot be scored as a text; empty when it can."""
    if not isinstance(text, str):
        return f"the text is a {type(text).__name__}, not a string"
    if not text.strip():
        return "the text is empty"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"the text is not valid Unicode: half a surrogate pair at character {error.start}"
    return ""
