"""The dataset card of an export: what ``datasets.load_dataset`` needs to know, and what a reader should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from labeling.golden.features import COLUMNS, described
from labeling.golden_records import Erratum
from labeling.records import GoldenItem, GoldenVersion, Tier


@dataclass(frozen=True, slots=True)
class Contents:
    """What was exported: rows by partition and the file of each; ``unembedded`` rows were compared by text only."""

    version: GoldenVersion
    form: str
    members: Mapping[str, Sequence[GoldenItem]]
    files: Mapping[str, str]
    cosine: float
    unembedded: int
    erased: int
    errata: Sequence[Erratum] = ()


def card(contents: Contents) -> str:
    """README.md: a YAML header, then Markdown. The same contents give the same text."""
    rows = [item for members in contents.members.values() for item in members]
    languages = sorted({item.language for item in rows} - {"und"})
    files = [{"split": split, "path": path} for split, path in contents.files.items()]
    head: dict[str, object] = {
        "pretty_name": f"Goldfold golden set {contents.version.version}",
        **({"language": languages} if languages else {}),
        "task_categories": ["text-classification"],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {
            "config_name": "default",
            "features": described(votes_as_text=contents.form == "csv"),
        },
    }
    body = [_identity(contents), _counts(contents), _licence(rows), _holes(contents, rows), _columns()]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n" + "\n".join(body)


def _identity(contents: Contents) -> str:
    version = contents.version
    return (
        f"# Golden set {version.version}\n\n"
        f"- golden version: {version.version} (parent: {version.parent or 'none'})\n"
        f"- Merkle root of the whole version: `{version.merkle_root}`\n"
        f"- published: {version.created_at.isoformat()}\n"
        f"- partitions here: {', '.join(contents.files)}; the sealed partition is never exported\n"
    )


def _counts(contents: Contents) -> str:
    lines = [
        "## Rows\n",
        "| partition | policy | policy version | violates | allowed |",
        "| --- | --- | --- | --- | --- |",
    ]
    tally = Counter(
        (partition, item.policy_id, item.policy_version, str(item.outcome))
        for partition, members in contents.members.items()
        for item in members
    )
    lines += [
        f"| {' | '.join(key)} | {tally[(*key, 'violates')]} | {tally[(*key, 'allowed')]} |"
        for key in sorted({key[:3] for key in tally})
    ]
    return "\n".join(lines) + "\n"


def _licence(rows: Sequence[GoldenItem]) -> str:
    lanes = Counter((item.lane or "unknown", item.pi is not None) for item in rows)
    known = sum(n for (_, has_pi), n in lanes.items() if has_pi)
    lines = [
        "## Licence of figures\n",
        f"{known} of {len(rows)} rows have a known probability of having been picked (`pi`). Figures about all traffic "
        "(prevalence, recall) may use those rows alone, each weighted by `weight`. Rows without `pi` were picked on "
        "purpose: any figure from them describes this sample and nothing else.\n",
        "| lane | rows | pi |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {lane} | {n} | {'known' if has_pi else 'null'} |" for (lane, has_pi), n in sorted(lanes.items())]
    return "\n".join(lines) + "\n"


def _holes(contents: Contents, rows: Sequence[GoldenItem]) -> str:
    alone = sum(item.tier is Tier.PROVISIONAL for item in rows)
    differing = sum(len(item.votes) > 1 for item in rows)
    lines = [
        "## Known holes\n",
        f"- {alone} rows rest on one person's answer (tier `provisional`).",
        f"- {differing} rows had differing votes; `votes` and `soft_label` keep them.",
        f"- Near-duplicates of evaluation items were sought by equal text, normalised text and embeddings of cosine "
        f"{contents.cosine:g} or more; {contents.unembedded} rows have no embedding and were compared by text alone.",
        "- Paraphrases and translations below that cosine are not recognised as near-duplicates.",
    ]
    if contents.erased:
        lines.append(f"- {contents.erased} rows of the version were erased since and are left out.")
    lines += [
        f"- Known to be wrong: item `{e.item_id}` under {e.policy_id}: {' '.join(e.reason.split())}"
        for e in contents.errata
    ]
    if contents.form == "csv":
        lines.append(
            "- CSV: text that a spreadsheet would run as a formula starts with an apostrophe, votes are JSON text."
        )
    return "\n".join(lines) + "\n"


def _columns() -> str:
    lines = ["## Columns\n", "| column | meaning |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {column.name} | {column.meaning} |" for column in COLUMNS)]) + "\n"
