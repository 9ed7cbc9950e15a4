"""How pages write numbers and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from labeling.quality.coverage import WHOLE
from labeling.quality.qa_accuracy import CENSUS

NONE = "–"
COMMAND = re.compile(r"(goldfold(?: [a-z][a-z-]*| --[a-z][a-z-]*(?: [\w.-]*\d[\w.-]*)?)+)")


def number(value: float | None, digits: int = 3) -> str:
    """A count whole, what was measured with ``digits`` decimals, 1 as 1.000 too; thousands apart; a dash for none."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def moment(value: datetime | str | None) -> str:
    """A time to the minute, UTC."""
    if value is None or value == "":
        return NONE
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if found.tzinfo else found.strftime("%Y-%m-%d %H:%M")


def words(value: object) -> str:
    """An enum's or field's name as words."""
    return str(value).replace("_", " ").replace("-", " ")


def commands(value: object) -> Markup:
    """A sentence with the commands in it told apart from its words."""
    parts = COMMAND.split(str(value))
    marked = [Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)]
    return Markup("").join(marked)


def policy(value: object) -> str:
    """A policy's id as its readers say it: ``hate_speech`` as Hate speech."""
    return words(value).capitalize()


def count(value: int, noun: str, plural: str = "") -> str:
    """``1 item``, ``2 items``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def is_whole(figure: Mapping[str, Any]) -> bool:
    """Whether all there is was counted: there is no interval then."""
    return figure.get("method") in (CENSUS, WHOLE)


def be(subject: str) -> str:
    """``is`` or ``are``, as a heading wants it: "The picks" are, "The map of the picks" is."""
    head = subject.split(" of ")[0].strip()
    asks = head.split(" ")[0].lower() in ("what", "how", "where", "which", "this")
    return "are" if not asks and (" and " in head or head.endswith("s")) else "is"


FILTERS: dict[str, Callable[..., object]] = {
    "number": number,
    "share": share,
    "moment": moment,
    "words": words,
    "policy": policy,
    "commands": commands,
    "count": count,
    "be": be,
    "is_whole": is_whole,
}
