"""Scorer files: YAML that says which scorer judges content, and what its answers mean. See ``scorer_kinds``."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from configs.errors import SettingsError
from configs.files import explain, local, read_mapping, refuse_unknown
from configs.scorer_kinds import KINDS, EnsembleFile, HFText, MCDropoutFile, ScorerFile, VideoFramesFile

PACKAGED_SCORERS = Path(__file__).parent / "scorers"


def packaged_scorers() -> list[str]:
    """Names of the scorer files that come with Goldfold, sorted."""
    return sorted(path.stem for path in PACKAGED_SCORERS.glob("*.yaml"))


def scorer_path(named: Path | str, beside: Path | None = None) -> Path:
    """The file that ``named`` means: a packaged one by its name, else a path (relative to the folder ``beside`` where
    such a file is there). Raises SettingsError when there is no such file."""
    packaged = PACKAGED_SCORERS / f"{named}.yaml"
    if str(named) in packaged_scorers():
        return packaged
    places = [beside / named] if beside else []
    for path in (*places, local(named)):
        if path.is_file():
            return path
    raise SettingsError(
        f"{named}: cannot be read: there is no such scorer file; give a path, or one of those that come with "
        f"Goldfold: {', '.join(packaged_scorers())}"
    )


def read_scorer(named: Path | str, policies: Collection[str] | None = None, beside: Path | None = None) -> ScorerFile:
    """Read one scorer file, by the name of a packaged one or by path. Raises SettingsError naming the file and every
    wrong key, and with ``policies`` (the ids there are) everything that means another one.

    A relative model folder is relative to the scorer file when it is there, else a hub id.
    """
    path = scorer_path(named, beside)
    raw = read_mapping(path)
    model = _kind(raw, str(path))
    problems = refuse_unknown(raw, model.model_fields, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    for key in model.folders:
        if raw.get(key) and (path.parent / str(raw[key])).is_dir():
            raw[key] = str(path.parent / str(raw[key]))
    try:
        file = model.model_validate(raw)
        problems = [] if policies is None else _unknown_policies(file, policies, str(path))
    except ValidationError as error:
        problems = explain(error, {}, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    return file


def judged_policies(
    named: Path | str,
    policies: Collection[str],
    beside: Path | None = None,
    reads: str | None = None,
    within: tuple[Path, ...] = (),
) -> frozenset[str]:
    """The policies that the scorer of a file judges, told without loading a model. Raises SettingsError as
    ``read_scorer`` does, also for the files that it names: an ensemble's members, a video's image and text scorer,
    what is read under dropout;
    and for a scorer that is not for ``reads`` (text, image or video; None: any). ``within``: the files that led
    here."""
    inside = entered(scorer_path(named, beside), within)
    file = read_scorer(named, policies, beside)
    if reads is not None:
        check_reads(file, reads, str(scorer_path(named, beside)))
    parts = _parts(file)
    if not parts:
        judged = file.judged()
        return frozenset(policies) if judged is None else judged
    path = scorer_path(named, beside)
    for part, reads in parts:
        inner = read_scorer(part, None, path.parent)
        check_reads(inner, reads, f"{path}: {part}")
        check_dropout(file, inner, str(path))
    return frozenset.union(*(judged_policies(part, policies, path.parent, within=inside) for part, _ in parts))


def entered(path: Path, within: tuple[Path, ...]) -> tuple[Path, ...]:
    """``within`` and this file too. Raises SettingsError for a file that is among those that led to it."""
    path = path.resolve()
    if path in within:
        circle = " -> ".join(map(str, (*within[within.index(path) :], path)))
        raise SettingsError(
            f"{path}: a scorer file may not be a part of itself: {circle}; leave it out of the last one"
        )
    return (*within, path)


def check_reads(file: ScorerFile, reads: str, source: str) -> None:
    """Raises SettingsError when the scorer of a file is not for ``reads`` (text, image or video)."""
    if file.reads != reads:
        raise SettingsError(f"{source}: kind {file.kind} reads {file.reads}s; name a scorer file for {reads}s here")


def check_dropout(file: ScorerFile, inner: ScorerFile, source: str) -> None:
    """Raises SettingsError when a file of kind mc-dropout names another scorer than a classifier of its own: dropout in
    the deployment's encoder would reach whoever else reads with it."""
    if isinstance(file, MCDropoutFile) and not isinstance(inner, HFText):
        raise SettingsError(f"{source}: scorer: {file.scorer} is of kind {inner.kind}; name one of kind hf-text")


def is_committee(named: Path | str) -> bool:
    """Whether the scorer of a file says how far its members differ. Raises SettingsError as ``read_scorer`` does."""
    return isinstance(read_scorer(named), EnsembleFile | MCDropoutFile)


def _parts(file: ScorerFile) -> list[tuple[str, str]]:
    """The scorer files that a file names, and what each of them must read."""
    if isinstance(file, EnsembleFile):
        return [(member, "text") for member in file.members]
    if isinstance(file, MCDropoutFile):
        return [(file.scorer, "text")]
    if isinstance(file, VideoFramesFile):
        return [(file.images, "image"), *([(file.transcript, "text")] if file.transcript else [])]
    return []


def _kind(raw: dict[str, object], source: str) -> type[ScorerFile]:
    known = ", ".join(KINDS)
    if "kind" not in raw:
        raise SettingsError(f"{source}: kind: say which kind of scorer this is: {known}")
    kind = str(raw["kind"])
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{source}: kind: {kind!r} is none of {known}{meant}")
    return KINDS[kind]


def _unknown_policies(file: ScorerFile, policies: Collection[str], source: str) -> list[str]:
    problems = []
    for label, policy in file.meanings().items():
        if policy not in policies:
            near = get_close_matches(policy, policies, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(sorted(policies))
            problems.append(f"{source}: {file.means}.{label}: {policy!r} is no policy{meant} (known: {known})")
    return problems
