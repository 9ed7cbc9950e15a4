"""The manifest of a golden version: what is in it, checkable by anybody with a SHA-256.

A JSON Lines file. First line: ``{"goldfold_manifest": 1, "merkle_root": ..., "rows": n}``. Then one line an item and
policy, sorted by (item_id, policy_id): ``{"row": {...}, "sha256": ...}``, where sha256 is that of the row written as
canonical JSON (ASCII with escapes, keys sorted, no spaces). The Merkle root (labeling.golden.merkle) commits to those
rows, so it depends on the members alone: no clock, no path, no version number.

A row holds hashes and labels, never content, names of people or the caller's own ids: erasing an item from the
stores leaves nothing of it to read here. Each row has a random ``salt``: of an erased row only a hash stays, and
without the salt nobody can try which content it was made of.

After an erasure the version's manifest is made anew, with ``{"erased": true, "leaf": ...}`` in place of the row: the
hash of its leaf. The root stays what it was, and so do the proofs of all other rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import IntegrityError
from labeling.golden import merkle
from labeling.records import GoldenItem

FORMAT = 1
ERASED = re.compile(r'\{"erased":true,"leaf":"([0-9a-f]{64})"\}')
Pair = tuple[str, str]  # item id, policy id
NONE: Mapping[Pair, str] = {}
SHOWN = 10  # problems that a message names
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a row is in a version: ``row`` (canonical JSON) is number ``index`` of ``size`` under the root."""

    row: str
    index: int
    size: int
    path: tuple[str, ...]

    def holds(self, merkle_root: str) -> bool:
        """Whether the proof leads to that root (hex)."""
        path = [bytes.fromhex(step) for step in self.path]
        return merkle.proves(self.row.encode(), self.index, self.size, path, bytes.fromhex(merkle_root))


def row(item: GoldenItem) -> dict[str, object]:
    """What the manifest says of a golden item."""
    return {
        "item_id": item.item_id,
        "policy_id": item.policy_id,
        "policy_version": item.policy_version,
        "content_sha256": item.content_hash,
        "language": item.language,
        "outcome": str(item.outcome),
        "rule": item.rule,
        "severity": item.severity,
        "votes": dict(item.votes),
        "how": str(item.how),
        "verdict": None if item.verdict is None else str(item.verdict),
        "tier": str(item.tier),
        "partition": str(item.partition),
        "group_id": item.group_id,
        **({} if item.modality == "text" else {"modality": item.modality, "caption_sha256": item.caption_hash}),
        "provenance": {
            "round_id": item.round_id,
            "lane": item.lane,
            "pi": item.pi,
            "adjudication_id": item.adjudication_id,
        },
        "salt": item.salt,
    }


def canonical(value: object) -> str:
    """One text for one value: keys sorted, no spaces, ASCII, numbers in their shortest form."""
    return _ENCODER.encode(value)


def rows(items: Iterable[GoldenItem], leaves: Mapping[Pair, str] = NONE) -> list[str]:
    """The canonical rows of a version, in manifest order. ``leaves``: what is left of the erased ones."""
    ordered = sorted(items, key=lambda i: (i.item_id, i.policy_id))
    return [canonical(_told(item, leaves.get((item.item_id, item.policy_id)))) for item in ordered]


def leaf(canonical_row: str) -> bytes:
    """The leaf of a row in the tree: of an erased one, the hash that it holds."""
    held = ERASED.fullmatch(canonical_row)
    return bytes.fromhex(held[1]) if held else merkle.leaf(canonical_row.encode())


def _told(item: GoldenItem, left: str | None) -> dict[str, object]:
    return row(item) if left is None else {"erased": True, "leaf": left}


def merkle_root(canonical_rows: Iterable[str]) -> str:
    """The root (hex) of some canonical rows, in order."""
    return merkle.root(leaf(r) for r in canonical_rows).hex()


def lines(canonical_rows: Sequence[str]) -> Iterator[str]:
    """The lines of the manifest file, each with its newline."""
    yield head(merkle_root(canonical_rows), len(canonical_rows)) + "\n"
    for text in canonical_rows:
        yield line(text) + "\n"


def head(root: str, count: int) -> str:
    """The first line, of so many rows under a root (hex)."""
    return canonical({"goldfold_manifest": FORMAT, "merkle_root": root, "rows": count})


def line(canonical_row: str) -> str:
    """The line of a row."""
    return f'{{"row":{canonical_row},"sha256":"{_sha256(canonical_row)}"}}'


def inclusion(
    items: Iterable[GoldenItem], item_id: str, policy_id: str, leaves: Mapping[Pair, str] = NONE
) -> Inclusion:
    """The proof that an item is among some members, of which some may be erased (``leaves``). Raises IntegrityError
    when it is not, or is erased itself."""
    members = sorted(items, key=lambda i: (i.item_id, i.policy_id))
    keys = [(m.item_id, m.policy_id) for m in members]
    if (item_id, policy_id) not in keys or (item_id, policy_id) in leaves:
        raise IntegrityError(f"item {item_id}, policy {policy_id}: not in this version")
    index = keys.index((item_id, policy_id))
    texts = rows(members, leaves)
    path = merkle.proof([leaf(t) for t in texts], index)
    return Inclusion(texts[index], index, len(texts), tuple(step.hex() for step in path))


def verify(
    path: Path, root: str, members: Iterable[GoldenItem] | None = None, leaves: Mapping[Pair, str] = NONE
) -> int:
    """Recompute everything; return the number of rows. Raises IntegrityError naming what does not match.

    ``root`` is what was published (the ledger's, or one written down elsewhere: the file's own word is not enough).
    ``members``, the ledger's frozen rows, let a consistent forgery be named row by row; where they come sorted by item
    and policy, as the file is, neither side is held.
    """
    given = _lines(path)
    said = _head(path, next(given, ""))
    tree, compared, wrong, count = merkle.Tree(), None if members is None else _Compared(members, leaves), _Few(), 0
    for number, found in enumerate(given, start=2):
        text = compared.expected(found) if compared is not None else None
        if text is None:
            parsed = _object(path, number, found)
            text = canonical(parsed.get("row"))
            if parsed.get("sha256") != _sha256(text):
                wrong.add(f"line {number}: the row does not match its sha256")
            elif found != line(text):
                wrong.add(f"line {number}: not written canonically")
            if compared is not None:
                compared.found(text)
        tree.add(leaf(text))
        count += 1
    problems = [*wrong.held, *(compared.problems() if compared is not None else ())]
    if said.get("rows") != count:
        problems.append(f"line 1: it promises {said.get('rows')} rows, there are {count}")
    actual = tree.root().hex()
    if actual != root:
        problems.append(f"the Merkle root of its rows is {actual}, published was {root}")
    if said.get("merkle_root") != root:
        problems.append(f"line 1: its Merkle root is {said.get('merkle_root')}, published was {root}")
    if problems:
        more = " ..." if len(problems) > SHOWN else ""
        raise IntegrityError(f"{path}: {'; '.join(problems[:SHOWN])}{more}")
    return count


class _Few:
    """Problems, as many as are told, and one more to tell that there are more."""

    def __init__(self) -> None:
        self.held: list[str] = []

    def add(self, problem: str) -> None:
        if len(self.held) <= SHOWN:
            self.held.append(problem)


class _Compared:
    """Rows of a file beside those that were published: what differs is held until the end, the rest goes by."""

    def __init__(self, members: Iterable[GoldenItem], leaves: Mapping[Pair, str]) -> None:
        self._members, self._leaves = iter(members), leaves
        self._ours: dict[str, str] = {}  # of the file, by key; only what did not lie side by side
        self._theirs: dict[str, str] = {}
        self._passed = array("q")  # hashes of the rows that went by, to know a copy of one
        self._again = 0
        self._next = self._following()

    def expected(self, found: str) -> str | None:
        """The canonical row of the next member where ``found`` is its line; None: it is another line."""
        if self._next is None or line(self._next[1]) != found:
            return None
        text = self._next[1]
        self._passed.append(hash(text))
        self._next = self._following()
        return text

    def found(self, text: str) -> None:
        """A row of the file that is not the next member's: the members before it are put aside."""
        parsed = json.loads(text)
        if not isinstance(parsed, dict):
            self._again += 1
            return
        pair = (str(parsed.get("item_id")), str(parsed.get("policy_id")))
        while self._next is not None and not parsed.get("erased") and self._next[0] <= pair:
            self._put(self._theirs, self._next[1])
            self._next = self._following()
        self._put(self._ours, text)

    def problems(self) -> list[str]:
        """What is missing, was never published, changed, or is there twice."""
        while self._next is not None:
            self._put(self._theirs, self._next[1])
            self._next = self._following()
        ours, theirs = self._ours, self._theirs
        passed = set(self._passed).intersection(map(hash, ours.values())) if ours else set()
        copies = [key for key, text in ours.items() if hash(text) in passed]
        for key in copies:
            del ours[key]
        problems = [f"{key}: was published and is missing" for key in theirs if key not in ours]
        problems += [f"{key}: was never published" for key in ours if key not in theirs]
        for key, text in theirs.items():
            if key in ours and ours[key] != text:
                before, after = json.loads(text), json.loads(ours[key])
                fields = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
                problems.append(f"{key}: changed: {', '.join(fields)}")
        return problems + (["a row is there more than once"] if self._again or copies else [])

    def _put(self, side: dict[str, str], text: str) -> None:
        key, other = _key(json.loads(text)), self._theirs if side is self._ours else self._ours
        if other.get(key) == text:
            del other[key]
            return
        self._again += side is self._ours and key in side
        side[key] = text

    def _following(self) -> tuple[Pair, str] | None:
        item = next(self._members, None)
        if item is None:
            return None
        pair = (item.item_id, item.policy_id)
        return pair, canonical(_told(item, self._leaves.get(pair)))


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="ascii") as file:
            for number, text in enumerate(file, start=1):
                if not text.endswith("\n"):
                    raise IntegrityError(f"{path}: line {number}: cut off")
                yield text[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{path}: the manifest cannot be read: {error}") from error


def _head(path: Path, text: str) -> dict[str, object]:
    said = _object(path, 1, text) if text else {}
    if said.get("goldfold_manifest") != FORMAT:
        raise IntegrityError(f"{path}: line 1: not the head of a manifest of format {FORMAT}")
    return said


def _object(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: line {number}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{path}: line {number}: not an object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _key(told: Mapping[str, object]) -> str:
    if told.get("erased"):
        return f"erased row {told.get('leaf')}"
    return f"item {told.get('item_id')}, policy {told.get('policy_id')}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
