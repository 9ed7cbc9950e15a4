"""What a page loads beside itself: the console's stylesheet and modules, and Plotly out of its installed package.

Nothing comes from another host. An address holds the hash of what it serves, so a browser may keep it for ever.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from plotly.offline import get_plotlyjs

from labeling.errors import NotFound

PREFIX = "/console/static"
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
PLOTLY = "plotly.min.js"
HASH_CHARS = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and the same packed by gzip."""

    media_type: str
    plain: bytes
    packed: bytes
    sha256: str


@cache
def asset(name: str) -> Asset:
    """The file of that name. Raises NotFound."""
    folder = files("api.console") / "static"
    known = {each.name for each in folder.iterdir()} | {PLOTLY}
    kind = KINDS.get(name.rpartition(".")[2])
    if name not in known or kind is None:
        raise NotFound(f"the console has no file {name!r}")
    plain = get_plotlyjs().encode() if name == PLOTLY else (folder / name).read_bytes()
    return Asset(kind, plain, gzip.compress(plain, mtime=0), sha256(plain).hexdigest())


def address(name: str) -> str:
    """Where the file is served."""
    return f"{PREFIX}/{asset(name).sha256[:HASH_CHARS]}/{name}"
