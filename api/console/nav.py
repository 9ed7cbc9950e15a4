"""What stands in the console's menu, and who sees it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import URL

from api.auth import RANK, Role

HOME = "/console/"


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the menu; who has ``role`` or above sees it."""

    path: str
    label: str
    role: Role


MENU = (
    Place("/console/today", "Today", Role.LEAD),
    Place("/console/rounds", "Rounds", Role.VIEWER),
    Place("/console/golden", "Golden", Role.VIEWER),
    Place("/console/models", "Models", Role.VIEWER),
    Place("/console/quality", "Quality", Role.LEAD),
    Place("/console/policies", "Policies", Role.VIEWER),
    Place("/console/trends", "Trends", Role.VIEWER),
    Place("/console/interception", "Interception", Role.VIEWER),
    Place("/console/audit", "Audit", Role.VIEWER),
    Place("/console/me", "Me", Role.ANNOTATOR),
)


def menu(role: Role) -> list[Place]:
    """What somebody of that role sees."""
    return [place for place in MENU if RANK[place.role] <= RANK[role]]


def asked(url: URL) -> str:
    """Path and query of an address, so that a sign-in leads back to it."""
    return url.path + (f"?{url.query}" if url.query else "")


def safe(path: str) -> str:
    """A path to lead back to after a sign-in, if it is one of the console; else "": nobody is sent to another site."""
    return path if path.startswith(HOME) and "//" not in path and "\\" not in path else ""


def home(role: Role) -> str:
    """Where the day of somebody of that role begins."""
    return menu(role)[0].path
