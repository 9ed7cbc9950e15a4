"""The decision trees of an installation: linted, replayed on gold, compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from api.composition import Goldfold
from labeling.errors import NotFound
from labeling.golden.contested import is_contested
from labeling.golden.stale import standing
from labeling.policies import Policy
from labeling.records import GoldenItem
from labeling.sop.form import form
from labeling.sop.guide import guide_html, guide_pdf
from labeling.sop.lint import Remark, lint
from labeling.sop.prompt import prompt
from labeling.sop.replay import Replay, Walk, replay
from labeling.sop.tree import Sop, read_sops
from labeling.sop.walks import trial_tasks
from labeling.training import newest_version

REPLAYED = "sop.replayed"  # in the audit trail
KEPT_ITEMS = 100  # lost ones of a step that are kept with a replay
PER_VERDICT = 20  # golden items of each outcome and rule, as tasks
TEXT, PDF = "text/plain; charset=utf-8", "application/pdf"


@dataclass(frozen=True, slots=True)
class Made:
    """What a tree is compiled to: how it is made, the file's ending, and its media type."""

    make: Callable[[Sop, Policy], str | bytes]
    suffix: str
    media_type: str


COMPILED = {
    "form": Made(form, ".xml", TEXT),
    "prompt": Made(prompt, ".txt", TEXT),
    "guide.html": Made(guide_html, ".html", TEXT),  # never rendered on our address: a tree is somebody's text
    "guide.pdf": Made(guide_pdf, ".pdf", PDF),
}


def sops(goldfold: Goldfold) -> dict[str, Sop]:
    """The trees of ``sops_dir``, by id. Raises SopError."""
    return read_sops(goldfold.settings.sops_dir)


def sop_of(goldfold: Goldfold, sop_id: str) -> Sop:
    """Raises NotFound, SopError."""
    found = sops(goldfold)
    if sop_id not in found:
        raise NotFound(
            f"sop {sop_id!r} has no file in {goldfold.settings.sops_dir} (known: {', '.join(found) or 'none'})"
        )
    return found[sop_id]


def policy_of(goldfold: Goldfold, sop: Sop) -> Policy:
    """The policy in force that a tree is for. Raises NotFound."""
    if sop.policy not in goldfold.policies:
        raise NotFound(
            f"policy {sop.policy!r} of the tree {sop.id!r} is not in force (known: {', '.join(goldfold.policies)})"
        )
    return goldfold.policies[sop.policy]


def lint_sop(goldfold: Goldfold, sop: Sop) -> list[Remark]:
    """What makes it hard to apply. Raises NotFound."""
    return lint(sop, policy_of(goldfold, sop), goldfold.ledger.golden.items(policy_id=sop.policy))


def compiled(goldfold: Goldfold, sop: Sop, kind: str) -> str | bytes:
    """The form, the prompt or a guide. Raises NotFound, InvalidInput."""
    if kind not in COMPILED:
        raise NotFound(f"compiled: {kind!r} is not one of {', '.join(COMPILED)}")
    return COMPILED[kind].make(sop, policy_of(goldfold, sop))


def gold_of(goldfold: Goldfold, sop: Sop, golden_version: str = "") -> tuple[str, list[GoldenItem]]:
    """A golden version (default: the newest), and its rows of the tree's policy that hold now and have one right
    answer. Raises NothingToDo, NotFound."""
    golden = goldfold.ledger.golden
    version = golden_version or newest_version(golden)
    rows = standing(golden.members(version), golden.items(policy_id=sop.policy))
    return version, [row for row in rows if row.policy_id == sop.policy and not is_contested(row)]


def tasks_of(goldfold: Goldfold, sop: Sop, per_verdict: int = PER_VERDICT) -> list[dict[str, Any]]:
    """Golden items of each verdict as tasks for a Label Studio project of the tree's form: content, and no answer.
    Raises NothingToDo, NotFound."""
    return trial_tasks(gold_of(goldfold, sop)[1], per_verdict)


def replay_sop(goldfold: Goldfold, sop: Sop, walks: Sequence[Walk], golden_version: str = "") -> Replay:
    """Gold replayed through the tree. Raises NothingToDo, InvalidInput, NotFound."""
    policy_of(goldfold, sop)
    version, rows = gold_of(goldfold, sop, golden_version)
    return replay(sop, rows, walks, version)


def keep_replay(goldfold: Goldfold, sop: Sop, told: Replay, actor: str) -> None:
    """Write a replay down in the audit trail, where the tree's page finds it: who replayed, when, and what came of
    it."""
    body: dict[str, Any] = told.as_dict()
    lost = [{"lost": list(step.lost[:KEPT_ITEMS]), "lost_items": len(step.lost)} for step in told.steps]
    steps = [{**shown, **items} for shown, items in zip(body["steps"], lost, strict=True)]
    body |= {"steps": steps, "homeless": list(told.homeless[:KEPT_ITEMS])}
    goldfold.ledger.audit.add(actor, REPLAYED, sop.id, body)


def kept_replay(goldfold: Goldfold, sop: Sop) -> dict[str, Any]:
    """The newest replay that was kept of a tree as it is now. Raises NotFound where there is none, or the tree has
    changed since."""
    found = next(iter(goldfold.ledger.audit.latest(1, action=REPLAYED, target=sop.id)), None)
    told = found["detail"] if found else None
    if found is None or not isinstance(told, dict):
        raise NotFound(f"no replay of {sop.id!r} is kept yet: replay gold through it")
    if told["tree_hash"] != sop.tree_hash:
        raise NotFound(f"the tree {sop.id!r} has changed since its last replay was kept: replay gold through it again")
    return {"by": found["actor"], "at": found["at"], **told}
