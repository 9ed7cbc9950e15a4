"""What a change of policy sets going in an installation: the version, the relabel round, the bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api.composition import Goldfold
from labeling.errors import InvalidInput, NotFound, NothingToDo
from labeling.golden.stale import stale_share
from labeling.policies import Policy, read_policy
from labeling.policy_bridge import Opened, open_bridge
from labeling.policy_preview import Preview, preview
from labeling.policy_progress import Progress, StaleList, progress, stale_list
from labeling.policy_publish import Change, Planned, history_of, plan_change, publish_change, retired
from labeling.policy_relabel import model_chances, open_relabel, touched_items
from labeling.policy_versions import ChangeKind, History, PolicyVersion
from labeling.records import Round
from labeling.scorebook import LakeScorer

BRIDGE_ITEMS = 50
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Follow:
    """What is to follow a publication: a relabel round of at most ``budget`` items (0: none), and a bridge of
    ``bridge`` items (0: none)."""

    budget: int
    bridge: int = BRIDGE_ITEMS


@dataclass(frozen=True, slots=True)
class Published:
    """What was done. ``moved``: golden items by their new state, and tasks ``withdrawn``; ``notes`` what was not done
    and why."""

    policy_id: str
    version: str
    moved: dict[str, int]
    relabel: Round | None
    bridge: Opened | None
    notes: tuple[str, ...]


def draft(goldfold: Goldfold, named: str, kinds: Sequence[ChangeKind]) -> Policy:
    """The policy that is to be published: of a file, or of a policy of the folder by its id. A retirement needs no new
    file. Raises PolicyError, NotFound."""
    path = Path(named)
    if path.suffix in SUFFIXES:
        file = read_policy(path)
        return drafted(goldfold, file.id, file, kinds)
    return drafted(goldfold, named, None, kinds)


def drafted(goldfold: Goldfold, policy_id: str, text: Policy | None, kinds: Sequence[ChangeKind]) -> Policy:
    """The same of a policy by its id: ``text``, else that of its file. Raises InvalidInput where the text is another
    policy's."""
    if text is not None and text.id != policy_id:
        raise InvalidInput(f"id: the text is that of {text.id!r}, not of {policy_id!r}")
    file = text or goldfold.shelf.files.get(policy_id)
    if ChangeKind.RETIRE in kinds:
        return retired(history_of(goldfold.ledger, policy_id), file)
    if file is None:
        where = goldfold.settings.policies_dir
        raise NotFound(
            f"policy {policy_id!r} has no file in {where}: name a file, or one of {', '.join(goldfold.shelf.files)}"
        )
    return file


def foresee(goldfold: Goldfold, policy: Policy, change: Change) -> Preview:
    """What publishing would do and cost; nothing is written."""
    planned = plan(goldfold, policy, change)
    speaks = planned.versions[0].parent is not None and not planned.versions[0].is_retired
    scorer = goldfold.scorer() if speaks and goldfold.policies else None
    return preview(goldfold.ledger, goldfold.lake, policy, planned, scorer, goldfold.settings.overlap)


def stale_rows(goldfold: Goldfold, policy_id: str, limit: int) -> StaleList:
    """The stale labels of a policy that nobody is asked about yet, the next to be asked first. Raises NotFound."""
    policy, scorer = _asking(goldfold, policy_id)
    return stale_list(goldfold.ledger, goldfold.lake, policy, scorer, limit)


def progressed(goldfold: Goldfold, policy_id: str) -> Progress:
    """How far the stale labels of a policy have been given again. Raises NotFound."""
    policy, scorer = _asking(goldfold, policy_id)
    return progress(goldfold.ledger, goldfold.lake, policy, scorer, goldfold.settings.overlap)


def _asking(goldfold: Goldfold, policy_id: str) -> tuple[Policy, LakeScorer | None]:
    """The newest text of a policy, and the scorer where there is a label for it to speak of."""
    newest = history_of(goldfold.ledger, policy_id)[-1]
    waits = bool(touched_items(goldfold.ledger, policy_id))
    return goldfold.policy(policy_id, newest.version), goldfold.scorer() if waits else None


def plan(goldfold: Goldfold, policy: Policy, change: Change) -> Planned:
    """What publishing would do; nothing is written."""
    return plan_change(goldfold.ledger, policy, change, datetime.now(UTC))


def publish(goldfold: Goldfold, policy: Policy, change: Change, follow: Follow) -> Published:
    """Publish, and open what is to follow. The scorer that speaks is that of before: it is the one whose scores the
    lake holds. Raises what ``plan_change`` does, Conflict, and ScoringError before anything is written."""
    ledger = goldfold.ledger
    planned = plan(goldfold, policy, change)
    main, history = planned.versions[0], goldfold.shelf.look().histories.get(policy.id, ())
    follows = bool(history) and not history[-1].is_retired  # else there is nothing before it to compare with
    speaks = main.parent is not None and not main.is_retired and (follow.budget or follow.bridge)
    scorer = goldfold.scorer() if speaks and goldfold.policies else None
    moved = publish_change(ledger, planned)
    goldfold.shelf.look()
    if main.is_retired:
        return Published(policy.id, main.version, moved, None, None, ())
    now, notes = goldfold.policy(policy.id, main.version), []
    relabel = bridge = None
    if follow.budget and touched_items(ledger, policy.id):
        relabel = _relabel(goldfold, now, scorer, follow.budget)
    if follow.bridge and follows and main.parent is not None:
        try:
            bridge = _bridge(goldfold, now, main.parent, scorer, follow.bridge)
        except NothingToDo as error:
            notes.append(f"no bridge: {error}")
    if policy.id not in goldfold.shelf.files:
        notes.append(f"{policy.id} is asked and scored by once its file lies in {goldfold.settings.policies_dir}")
    return Published(policy.id, main.version, moved, relabel, bridge, tuple(notes))


def relabel(goldfold: Goldfold, policy_id: str, budget: int, round_id: str = "", *, actor: str = "cli") -> Round:
    """Open the next relabel round of a policy. Raises NotFound, NothingToDo, Conflict."""
    if not touched_items(goldfold.ledger, policy_id):
        history_of(goldfold.ledger, policy_id)
        raise NothingToDo(f"policy {policy_id!r} has no stale label that is not being asked again already")
    made = _relabel(goldfold, _in_force(goldfold, policy_id), goldfold.scorer(), budget, round_id)
    goldfold.ledger.audit.add(actor, "policy.relabel", policy_id, {"round": made.round_id, "budget": budget})
    return made


def bridge(goldfold: Goldfold, policy_id: str, size: int, *, actor: str = "cli") -> Opened:
    """Open the bridge between the version in force and the one before. Raises NotFound, NothingToDo."""
    policy = _in_force(goldfold, policy_id)
    parent = history_of(goldfold.ledger, policy_id)[-1].parent
    if parent is None:
        raise NothingToDo(f"policy {policy_id!r} has one version only, so there is nothing to compare it with")
    made = _bridge(goldfold, policy, parent, goldfold.scorer(), size)
    goldfold.ledger.audit.add(actor, "policy.bridge", policy_id, {"rounds": [made.old_round, made.new_round]})
    return made


def standings(goldfold: Goldfold) -> list[dict[str, object]]:
    """Each policy: its newest version, its file's, and how much of its gold is stale; JSON-able but for times."""
    shelf, files = goldfold.shelf.shelf, goldfold.shelf.files
    return [
        _standing(goldfold, policy_id, shelf.histories.get(policy_id, ()), files.get(policy_id))
        for policy_id in sorted({*shelf.histories, *files})
    ]


def standing(goldfold: Goldfold, policy_id: str) -> dict[str, object]:
    """The same of one policy. Raises NotFound."""
    history = goldfold.shelf.look().histories.get(policy_id, ())
    file = goldfold.shelf.files.get(policy_id)
    if not history and file is None:
        history_of(goldfold.ledger, policy_id)
    return _standing(goldfold, policy_id, history, file)


def _standing(goldfold: Goldfold, policy_id: str, history: History, file: Policy | None) -> dict[str, object]:
    newest, share = (history[-1] if history else None), stale_share(goldfold.ledger.golden, policy_id)
    state = "in force" if file else "no file"
    if newest is None:
        state = "not published"
    elif newest.is_retired:
        state = "retired"
    return {
        "policy": policy_id,
        "version": newest.version if newest else None,
        "state": state,
        "file": file.version if file else None,
        "draft": bool(file and all(v.version != file.version for v in history)),
        "stale": share.stale,
        "active": share.active,
        "stale_share": share.share,
        "versions": [told(version) for version in history],
    }


def told(version: PolicyVersion) -> dict[str, object]:
    """A version without its text."""
    plain = {name: getattr(version, name) for name in ("version", "parent", "content_hash", "reason", "actor", "at")}
    lists = {name: [str(one) for one in getattr(version, name)] for name in ("kinds", "rules", "predecessors")}
    return {**plain, **lists}


def _in_force(goldfold: Goldfold, policy_id: str) -> Policy:
    newest = history_of(goldfold.ledger, policy_id)[-1]
    if newest.is_retired:
        raise NothingToDo(f"policy {policy_id!r} is retired: nothing is asked under it any more")
    return goldfold.policy(policy_id, newest.version)


def _relabel(goldfold: Goldfold, policy: Policy, scorer: LakeScorer | None, budget: int, round_id: str = "") -> Round:
    ledger, lake = goldfold.ledger, goldfold.lake
    chances = {} if scorer is None else model_chances(lake, scorer, policy, touched_items(ledger, policy.id))
    return open_relabel(
        ledger,
        lake,
        policy,
        chances,
        budget=budget,
        overlap=goldfold.settings.overlap,
        round_id=round_id,
        scorer_version="" if scorer is None else scorer.version,
    )


def _bridge(goldfold: Goldfold, policy: Policy, parent: str, scorer: LakeScorer | None, size: int) -> Opened:
    history = history_of(goldfold.ledger, policy.id)
    policies = (goldfold.policy(policy.id, parent), policy)
    return open_bridge(
        goldfold.ledger, goldfold.lake, history, policies, scorer, size=size, overlap=goldfold.settings.overlap
    )
