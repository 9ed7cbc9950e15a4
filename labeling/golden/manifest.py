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
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


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
    return merkle.root([leaf(r) for r in canonical_rows]).hex()


def lines(canonical_rows: Sequence[str]) -> Iterator[str]:
    """The lines of the manifest file, each with its newline."""
    head = {"goldfold_manifest": FORMAT, "merkle_root": merkle_root(canonical_rows), "rows": len(canonical_rows)}
    yield canonical(head) + "\n"
    for text in canonical_rows:
        yield _line(text) + "\n"


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
    ``members``, the ledger's frozen rows, let a consistent forgery be named row by row.
    """
    head, texts, problems = _read(path)
    if members is not None:
        problems += _differences(texts, rows(members, leaves))
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
    return {_key(r): t for r, t in parsed if isinstance(r, dict)}


def _key(told: Mapping[str, object]) -> str:
    if told.get("erased"):
        return f"erased row {told.get('leaf')}"
    return f"item {told.get('item_id')}, policy {told.get('policy_id')}"


def _line(text: str) -> str:
    return f'{{"row":{text},"sha256":"{_sha256(text)}"}}'


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
