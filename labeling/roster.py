"""The roster as people change it: addresses, languages and policies are checked here, and every change is audited."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from labeling.errors import InvalidInput
from labeling.records import Person
from labeling.store.interfaces import Desks, People

EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,180}")
LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,3}")
MAX_NAME = 80
MAX_UNITS = 1e6


class Stores(Protocol):
    """The part of the ledger that the roster needs."""

    @property
    def people(self) -> People: ...

    @property
    def desks(self) -> Desks: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody on the roster, with the units of exposure that they have had today."""

    person: Person
    spent: float


def add_person(
    people: People, policies: Collection[str], actor: str, email: str, fields: Mapping[str, object]
) -> Person:
    """Put somebody on the roster. ``fields`` as ``change_person`` takes them. Raises InvalidInput naming the field,
    Conflict when the address is there."""
    checked = _checked(fields, policies)
    address = email.strip().casefold()
    if not EMAIL.fullmatch(address):
        raise InvalidInput(f"email: {email!r} is no e-mail address; give that of the account in Label Studio")
    blank: dict[str, object] = {
        "name": "",
        "active": True,
        "languages": (),
        "opt_outs": (),
        "daily_exposure": None,
        "severe_in_row": None,
        "expert": False,
    }
    person = Person(
        email=address,
        desk=0,
        paused=False,
        paused_reason="",
        reviewed_at=None,
        created_at=datetime.now(UTC),
        **(blank | checked),  # type: ignore[arg-type]
    )
    return people.add(person, actor)


def change_person(
    people: People, policies: Collection[str], actor: str, email: str, fields: Mapping[str, object]
) -> Person:
    """Change ``name``, ``active``, ``languages``, ``opt_outs``, ``daily_exposure`` (units; None: the setting),
    ``severe_in_row`` or ``expert``; what is not given stays. Raises InvalidInput naming the field, NotFound."""
    checked = _checked(fields, policies)
    if not checked:
        raise InvalidInput(f"nothing to change: give one of {', '.join(_CHECKS)}")
    return people.change(email, checked, actor)


def pause_person(people: People, actor: str, email: str, reason: str) -> Person:
    """Give somebody nothing new until a lead resumes them; what lies on their desk stays there."""
    changes = {"paused": True, "paused_reason": reason.strip()[:500]}
    return people.change(email, changes, actor, "roster.pause")


def resume_person(people: People, actor: str, email: str, now: datetime) -> Person:
    """A lead has looked: somebody gets work again, and what injections said until now counts no more."""
    changes = {"paused": False, "paused_reason": "", "reviewed_at": now}
    return people.change(email, changes, actor, "roster.resume")


def list_people(stores: Stores, since: datetime) -> list[Listed]:
    """Everybody, by desk number; ``since``: when today began."""
    spent = stores.desks.units_since(since)
    return [Listed(person, round(spent.get(person.email, 0.0), 3)) for person in stores.people.all()]


def _checked(fields: Mapping[str, object], policies: Collection[str]) -> dict[str, object]:
    unknown = [name for name in fields if name not in _CHECKS]
    if unknown:
        raise InvalidInput(f"{unknown[0]}: unknown (known: {', '.join(_CHECKS)})")
    return {name: _CHECKS[name](value, policies) for name, value in fields.items()}


def _name(value: object, _: Collection[str]) -> str:
    text = str(value).strip()
    if len(text) > MAX_NAME or any(ord(letter) < 32 for letter in text):
        raise InvalidInput(f"name: at most {MAX_NAME} printable characters")
    return text


def _flag(field: str) -> Callable[[object, Collection[str]], bool]:
    def check(value: object, _: Collection[str]) -> bool:
        if not isinstance(value, bool):
            raise InvalidInput(f"{field}: true or false, not {value!r}")
        return value

    return check


def _languages(value: object, _: Collection[str]) -> tuple[str, ...]:
    found = tuple(sorted({word.strip().casefold() for word in _words("languages", value)}))
    for word in found:
        if not LANGUAGE.fullmatch(word):
            raise InvalidInput(f"languages: {word!r} is no language; write them as items do, such as en or pt-br")
    return found


def _opt_outs(value: object, policies: Collection[str]) -> tuple[str, ...]:
    found = tuple(sorted(set(_words("opt_outs", value))))
    for policy_id in found:
        if policy_id not in policies:
            raise InvalidInput(f"opt_outs: {policy_id!r} is no policy (known: {', '.join(sorted(policies))})")
    return found


def _words(name: str, value: object) -> Sequence[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise InvalidInput(f"{name}: expected a list of words, found {value!r}")
    return value


def _units(value: object, _: Collection[str]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_UNITS:
        raise InvalidInput(f"daily_exposure: a number of units from 0 to {MAX_UNITS:g}, not {value!r}")
    return float(value)


def _row(value: object, _: Collection[str]) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise InvalidInput(f"severe_in_row: a whole number from 0 to 1000, not {value!r}")
    return value


_CHECKS = {
    "name": _name,
    "active": _flag("active"),
    "expert": _flag("expert"),
    "languages": _languages,
    "opt_outs": _opt_outs,
    "daily_exposure": _units,
    "severe_in_row": _row,
}
