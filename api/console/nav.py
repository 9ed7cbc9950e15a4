"""What stands in the console's menu, and who sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import URL
from starlette.requests import Request

from api.auth import RANK, Role

HOME = "/console/"
SIGN_IN = "/sign-in"


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
LIST = "/console/list"
LISTS = {  # by what their address on the API begins with
    "/console/rounds": ("rounds", "yield"),
    "/console/golden": ("golden",),
    "/console/models": ("models", "gates"),
    "/console/quality": ("qa", "findings", "patterns", "kpi", "people", "injections", "weekly"),
    "/console/policies": ("policies", "sops"),
    "/console/trends": ("trends", "coverage"),
    "/console/interception": ("interception", "signals"),
    "/console/audit": ("erasures", "holds", "stops"),
}
ROOMS = {"/console/map": "/console/rounds"}


def menu(role: Role) -> list[Place]:
    """What somebody of that role sees."""
    return [place for place in MENU if RANK[place.role] <= RANK[role]]


def current(path: str, addresses: Sequence[str]) -> str:
    """The longest of ``addresses`` that ``path`` lies at or below; "" for none."""
    found = [each for each in addresses if path == each or path.startswith(each.rstrip("/") + "/")]
    return max(found, key=len, default="")


def room(url: URL) -> str:
    """The menu's entry that a page belongs to; "" for none. A list belongs where what it lists is told of."""
    path = url.path
    if path == LIST:
        listed = re.split(r"[/?]", parse_qs(url.query).get("of", [""])[0].removeprefix("/v1/"))[0]
        path = next((place for place, lists in LISTS.items() if listed in lists), path)
    return current(ROOMS.get(path, path), [place.path for place in MENU])


def asked(url: URL) -> str:
    """Path and query of an address, so that a sign-in leads back to it."""
    return url.path + (f"?{url.query}" if url.query else "")


def safe(path: str) -> str:
    """A path to lead back to after a sign-in, if it is one of the console; else "": nobody is sent to another site."""
    return path if path.startswith(HOME) and "//" not in path and "\\" not in path else ""


def came_from(request: Request) -> str:
    """The page of the console that a form was sent from; where the day begins if the browser does not say."""
    page = URL(request.headers.get("referer", ""))
    return (safe(asked(page)) if page.netloc == request.url.netloc else "") or HOME


def home(role: Role) -> str:
    """Where the day of somebody of that role begins."""
    return menu(role)[0].path
