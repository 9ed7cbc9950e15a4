"""The dataset card of an export: what ``datasets.load_dataset`` needs to know, and what a reader should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from labeling.golden.columns import votes_of
from labeling.golden.croissant import ENCODINGS, FILE
from labeling.golden.enclosures import BYTES, FILES, FOLDER, NO_MEDIA, Enclosing
from labeling.golden.features import columns_of, described
from labeling.golden.text import TEXT
from labeling.golden_records import Erratum
from labeling.quality.agreement import Votes, summary_of_votes
from labeling.quality.intervals import Figure
from labeling.records import GoldenVersion, Tier

COUNTED = ("partition", "policy_id", "policy_version", "outcome", "modality", "lane", "language", "tier")


@dataclass(slots=True)
class Tally:
    """What a card says of rows, counted as they are written, so that they need not be kept."""

    rows: Counter[str] = field(default_factory=Counter)  # by partition
    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    lanes: Counter[tuple[str, bool]] = field(default_factory=Counter)
    votes: dict[str, Counter[Votes]] = field(default_factory=dict)  # by policy
    languages: set[str] = field(default_factory=set)
    modalities: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    provisional: int = 0
    differing: int = 0

    def add(self, page: pa.RecordBatch) -> None:
        """Count rows in (``labeling.golden.columns.EXPORTED``). What is counted has few values: each combination of
        them is looked at once."""
        found, which = votes_of(page)
        table = pa.table({"votes": which, "known": pc.is_valid(page["pi"]), **{name: page[name] for name in COUNTED}})
        groups = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
        for row in groups.to_pylist():
            self._count(row, found[row["votes"]], row["count_all"])

    def _count(self, row: Mapping[str, Any], votes: Mapping[str, int], rows: int) -> None:
        partition, policy_id, outcome = row["partition"], row["policy_id"], row["outcome"]
        self.rows[partition] += rows
        self.outcomes[partition, policy_id, row["policy_version"], outcome] += rows
        self.modalities[partition, row["modality"], outcome] += rows
        self.lanes[row["lane"] or "unknown", row["known"]] += rows
        self.votes.setdefault(policy_id, Counter())[tuple(sorted(votes.items()))] += rows
        self.languages.add(row["language"])
        self.provisional += rows if row["tier"] == Tier.PROVISIONAL else 0
        self.differing += rows if len(votes) > 1 else 0

    def kinds(self) -> dict[str, int]:
        """Rows by modality."""
        found: Counter[str] = Counter()
        for (_, modality, _), rows in self.modalities.items():
            found[modality] += rows
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows of the version that are not in its export: what was erased since, and labels that a change of their policy
    touched since."""

    erased: int
    stale: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What was exported: its rows, and the file of each partition; ``unembedded`` rows of texts were compared by text
    only; ``enclosing``: what became of images' media."""

    version: GoldenVersion
    form: str
    tally: Tally
    files: Mapping[str, str]
    cosine: float
    unembedded: int
    left_out: LeftOut
    errata: Sequence[Erratum] = ()
    enclosing: Enclosing = NO_MEDIA

    @property
    def pictured(self) -> bool:
        """Whether a row is about an image."""
        return any(modality != TEXT for modality in self.tally.kinds())


def card(contents: Contents) -> str:
    """README.md: a YAML header, then Markdown. The same contents give the same text."""
    languages = sorted(contents.tally.languages - {"und"})
    files = [{"split": split, "path": path} for split, path in contents.files.items()]
    loads = {"configs": [{"config_name": "default", "data_files": files}], "dataset_info": _features(contents)}
    head: dict[str, object] = {
        "pretty_name": f"Goldfold golden set {contents.version.version}",
        **({"language": languages} if languages else {}),
        "task_categories": [f"{modality}-classification" for modality in contents.tally.kinds()],
        **(loads if contents.form in ENCODINGS else {}),
    }
    body = [_identity(contents), _counts(contents.tally)]
    body += [_media(contents)] if contents.pictured else []
    body += [_licence(contents.tally), _agreement(contents.tally)]
    body += [f"## Known holes\n\n{holes(contents)}\n", _columns(contents) if contents.form in ENCODINGS else _TASKS]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n" + "\n".join(body)


def _features(contents: Contents) -> dict[str, object]:
    told = described(votes_as_text=contents.form == "csv", images=contents.enclosing.how == BYTES)
    return {"config_name": "default", "features": told}


def _identity(contents: Contents) -> str:
    version = contents.version
    return (
        f"# Golden set {version.version}\n\n"
        f"- golden version: {version.version} (parent: {version.parent or 'none'})\n"
        f"- Merkle root of the whole version: `{version.merkle_root}`\n"
        f"- published: {version.created_at.isoformat()}\n"
        f"- partitions here: {', '.join(contents.files)}; the sealed partition is never exported\n"
        "- purpose: to train, calibrate and judge models that score content under the policies named here, whose "
        "versions say what a label means. It is no ranking of people, and no sample of all traffic but for the rows "
        "named under *Licence of figures*.\n"
        f"- licence of the content: that of where it came from; `{FILE}` holds hashes of every file\n"
    )


def _counts(tally: Tally) -> str:
    lines = [
        "## Rows\n",
        "| partition | policy | policy version | violates | allowed |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {' | '.join(key)} | {tally.outcomes[(*key, 'violates')]} | {tally.outcomes[(*key, 'allowed')]} |"
        for key in sorted({key[:3] for key in tally.outcomes})
    ]
    lines += ["", "| partition | modality | violates | allowed |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {' | '.join(key)} | {tally.modalities[(*key, 'violates')]} | {tally.modalities[(*key, 'allowed')]} |"
        for key in sorted({key[:2] for key in tally.modalities})
    ]
    return "\n".join(lines) + "\n"


def _media(contents: Contents) -> str:
    """What is here of images, and what may be done with them."""
    where = {
        BYTES: "in the column `image`",
        FILES: f"in the folder `{FOLDER}`, each under its SHA-256; `media` names the file",
    }.get(contents.enclosing.how, "not here: `media` says where each lies, `content_sha256` what its bytes must be")
    licence = contents.enclosing.licence or "not told to Goldfold; ask whose they are before they go any further"
    lines = [
        "## Images\n",
        f"- the images are {where}",
        "- `content_sha256` is that of an image's bytes, `caption_sha256` that of `text`, its caption",
        f"- licence of the images: {' '.join(licence.split())}",
    ]
    if contents.enclosing.how in (BYTES, FILES):
        lines.append("- they are byte for byte what people judged: what a camera wrote into a file is in it")
    return "\n".join(lines) + "\n"


def _licence(tally: Tally) -> str:
    lanes, known = tally.lanes, sum(n for (_, has_pi), n in tally.lanes.items() if has_pi)
    lines = [
        "## Licence of figures\n",
        f"{known} of {tally.rows.total()} rows have a known probability of having been picked (`pi`). Figures about "
        "all traffic (prevalence, recall) may use those rows alone, each weighted by `weight`. Rows without `pi` were "
        "picked on purpose: any figure from them describes this sample and nothing else.\n",
        "| lane | rows | pi |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {lane} | {n} | {'known' if has_pi else 'null'} |" for (lane, has_pi), n in sorted(lanes.items())]
    return "\n".join(lines) + "\n"


def _agreement(tally: Tally) -> str:
    lines = [
        "## Agreement\n",
        "Of the answers before any lead decided, over rows that two people or more answered, as outcome and rule; 95 % "
        "intervals by bootstrap over rows.\n",
        "| policy | rows | observed | Krippendorff's alpha | Gwet's AC1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    warned = []
    for policy_id, votes in sorted(tally.votes.items()):
        found = summary_of_votes(votes)
        cells = [_shown(figure) for figure in (found.observed, found.alpha, found.ac1)]
        lines.append(f"| {policy_id} | {found.observed.n} | {' | '.join(cells)} |")
        warned += [f"- {policy_id}: {warning}" for warning in found.warnings]
    return "\n".join([*lines, *(["", *warned] if warned else [])]) + "\n"


def _shown(figure: Figure) -> str:
    return figure.verdict if figure.value is None else f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def holes(contents: Contents) -> str:
    """What the data does not cover, as a Markdown list."""
    lines = [
        f"- {contents.tally.provisional} rows rest on one person's answer (tier `provisional`).",
        f"- {contents.tally.differing} rows had differing votes; `votes` and `soft_label` keep them.",
        f"- Near-duplicates of evaluation items were sought by the letters of texts, runs of characters, pictures, and "
        f"embeddings of cosine {contents.cosine:g} or more; {contents.unembedded} rows have no embedding. Images "
        "are compared by what they show, and their captions with texts.",
        "- Paraphrases and translations below that cosine are not recognised as near-duplicates.",
    ]
    if contents.left_out.erased:
        lines.append(f"- {contents.left_out.erased} rows of the version were erased since and are left out.")
    if contents.left_out.stale:
        lines.append(
            f"- {contents.left_out.stale} rows of the version are left out: their labels are stale, quarantined or "
            "retired, or were given again since under another version of their policy."
        )
    lines += [
        f"- Known to be wrong: item `{e.item_id}` under {e.policy_id}: {' '.join(e.reason.split())}"
        for e in contents.errata
    ]
    if contents.form == "csv":
        lines.append(
            "- CSV: text that a spreadsheet would run as a formula starts with an apostrophe, votes are JSON text."
        )
    return "\n".join(lines)


_TASKS = (
    "## Tasks\n\nEach file is a list of tasks as Label Studio imports them: the content and what identifies it under "
    "`data`, the final answer as an annotation marked as ground truth, for the forms that Goldfold makes. Tasks of "
    "images are in files of their own (`train-images.json`), for the form that shows images; links are short-lived.\n"
)


def _columns(contents: Contents) -> str:
    columns = columns_of(images=contents.enclosing.how == BYTES)
    lines = ["## Columns\n", "| column | meaning |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {column.name} | {column.meaning} |" for column in columns)]) + "\n"
