"""The manifest of a golden version: what is in it, checkable by anybody with a SHA-256.

A JSON Lines file. First line: ``{"goldfold_manifest": 1, "merkle_root": ..., "rows": n}``. Then one line an item and
policy, sorted by (item_id, policy_id): ``{"row": {...}, "sha256": ...}``, where sha256 is that of the row written as
canonical JSON (ASCII with escapes, keys sorted, no spaces). The Merkle root (labeling.golden.merkle) commits to those
rows, so it depends on the members alone: no clock, no path, no version number.

A row holds hashes and labels, never content, names of people or the caller's own ids: erasing an item from the
stores leaves nothing of it to read here. Each row has a random ``salt``: of an erased row only a hash stays, and
without the salt nobody can try which content it was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import IntegrityError
from labeling.golden import merkle
from labeling.records import GoldenItem

FORMAT = 1


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
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def rows(items: Iterable[GoldenItem]) -> list[str]:
    """The canonical rows of a version, in manifest order."""
    return [canonical(row(item)) for item in sorted(items, key=lambda i: (i.item_id, i.policy_id))]


def merkle_root(canonical_rows: Iterable[str]) -> str:
    """The root (hex) of some canonical rows, in order."""
    return merkle.root([merkle.leaf(r.encode()) for r in canonical_rows]).hex()


def lines(canonical_rows: Sequence[str]) -> Iterator[str]:
    """The lines of the manifest file, each with its newline."""
    head = {"goldfold_manifest": FORMAT, "merkle_root": merkle_root(canonical_rows), "rows": len(canonical_rows)}
    yield canonical(head) + "\n"
    for text in canonical_rows:
        yield _line(text) + "\n"


def inclusion(items: Iterable[GoldenItem], item_id: str, policy_id: str) -> Inclusion:
    """The proof that an item is among some members. Raises IntegrityError when it is not."""
    members = sorted(items, key=lambda i: (i.item_id, i.policy_id))
    keys = [(m.item_id, m.policy_id) for m in members]
    if (item_id, policy_id) not in keys:
        raise IntegrityError(f"item {item_id}, policy {policy_id}: not in this version")
    index = keys.index((item_id, policy_id))
    texts = [canonical(row(m)) for m in members]
    path = merkle.proof([merkle.leaf(t.encode()) for t in texts], index)
    return Inclusion(texts[index], index, len(texts), tuple(step.hex() for step in path))


def verify(path: Path, root: str, members: Iterable[GoldenItem] | None = None) -> int:
    """Recompute everything; return the number of rows. Raises IntegrityError naming what does not match.

    ``root`` is what was published (the ledger's, or one written down elsewhere: the file's own word is not enough).
    ``members``, the ledger's frozen rows, let a consistent forgery be named row by row.
    """
    head, texts, problems = _read(path)
    if members is not None:
        problems += _differences(texts, rows(members))
    if head.get("rows") != len(texts):
        problems.append(f"line 1: it promises {head.get('rows')} rows, there are {len(texts)}")
    actual = merkle_root(texts)
    if actual != root:
        problems.append(f"the Merkle root of its rows is {actual}, published was {root}")
    if head.get("merkle_root") != root:
        problems.append(f"line 1: its Merkle root is {head.get('merkle_root')}, published was {root}")
    if problems:
        raise IntegrityError(f"{path}: {'; '.join(problems[:10])}{' ...' if len(problems) > 10 else ''}")
    return len(texts)


def _read(path: Path) -> tuple[dict[str, object], list[str], list[str]]:
    """The head, the canonical rows, and what is wrong with single lines."""
    try:
        raw = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{path}: the manifest cannot be read: {error}") from error
    if raw.pop() != "":
        raise IntegrityError(f"{path}: line {len(raw) + 1}: cut off")
    head = _object(path, 1, raw[0]) if raw else {}
    if head.get("goldfold_manifest") != FORMAT:
        raise IntegrityError(f"{path}: line 1: not the head of a manifest of format {FORMAT}")
    texts, problems = [], []
    for number, line in enumerate(raw[1:], start=2):
        parsed = _object(path, number, line)
        text = canonical(parsed.get("row"))
        texts.append(text)
        if parsed.get("sha256") != _sha256(text):
            problems.append(f"line {number}: the row does not match its sha256")
        elif line != _line(text):
            problems.append(f"line {number}: not written canonically")
    return head, texts, problems


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


def _differences(found: Sequence[str], published: Sequence[str]) -> list[str]:
    ours, theirs = _by_key(found), _by_key(published)
    problems = [f"{key}: was published and is missing" for key in theirs if key not in ours]
    problems += [f"{key}: was never published" for key in ours if key not in theirs]
    for key, text in theirs.items():
        if key in ours and ours[key] != text:
            before, after = json.loads(text), json.loads(ours[key])
            fields = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            problems.append(f"{key}: changed: {', '.join(fields)}")
    if len(found) != len(ours):
        problems.append("a row is there more than once")
    return problems


def _by_key(texts: Sequence[str]) -> dict[str, str]:
    parsed = [(json.loads(text), text) for text in texts]
    return {f"item {r.get('item_id')}, policy {r.get('policy_id')}": t for r, t in parsed if isinstance(r, dict)}


def _line(text: str) -> str:
    return f'{{"row":{text},"sha256":"{_sha256(text)}"}}'


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
