"""Versions of policies: what a version holds, what kind of change made it, and which labels that change touches.

A version is never edited in place. The hash of a version covers everything that a label may depend on (``canonical``):
all of the policy but its ``threshold``, which says how a model's score is used, not what a label means, and stays a
setting of the file.

Which labels a change touches, so that they are stale until somebody labels them again:

=========  ==================================================================  ===============
kind       gold that it touches                                                 version rises by
=========  ==================================================================  ===============
tighten    what was allowed; violations of the rules named                      minor or major
loosen     violations of the rules named (none named: of every rule)            minor or major
clarify    violations of the rules named (none named: nothing)                  patch or minor
new        what was allowed, where a policy that there was gains a rule         minor or major
split      violations of the rules named (none named: of every rule)            major
merge      what was allowed                                                     major
retire     everything, which is retired                                         major
=========  ==================================================================  ===============

A rule that the new text has no more counts as named. A violation whose rule is not known counts as one of each rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from labeling.errors import IntegrityError, InvalidInput, NotFound, PolicyError
from labeling.policies import Policy
from labeling.records import GoldState, Outcome

OPERATING = frozenset({"threshold"})  # keys of a policy that no label depends on


class ChangeKind(StrEnum):
    """What a new version of a policy is to the one before it."""

    TIGHTEN = "tighten"
    LOOSEN = "loosen"
    CLARIFY = "clarify"
    NEW = "new"
    RETIRE = "retire"
    SPLIT = "split"
    MERGE = "merge"


MAJOR = frozenset({ChangeKind.RETIRE, ChangeKind.SPLIT, ChangeKind.MERGE})
OF_ALLOWED = frozenset({ChangeKind.TIGHTEN, ChangeKind.NEW, ChangeKind.MERGE})
OF_EVERY_RULE = frozenset({ChangeKind.LOOSEN, ChangeKind.SPLIT})  # where no rule is named


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A published version. ``content_hash``: SHA-256 (hex) of the canonical text; ``text`` the whole policy, JSON-able.
    ``parent``: the version before it. ``rules``: those that the change is about, those it dropped among them.
    ``predecessors``: policies that a split or a merge took it from."""

    policy_id: str
    version: str
    content_hash: str
    text: dict[str, object]
    parent: str | None
    kinds: tuple[ChangeKind, ...]
    rules: tuple[str, ...]
    predecessors: tuple[str, ...]
    reason: str
    actor: str
    at: datetime

    @property
    def policy(self) -> Policy:
        """The policy as it was published. Raises IntegrityError when the ledger's text is not what its hash says."""
        policy = Policy.model_validate(self.text)
        if content_hash(policy) != self.content_hash:
            raise IntegrityError(
                f"policy {self.policy_id} {self.version}: the text in the ledger is not what was published: restore "
                "the table policy_versions from a backup"
            )
        return policy

    @property
    def is_retired(self) -> bool:
        return ChangeKind.RETIRE in self.kinds

    @property
    def is_first(self) -> bool:
        """There was no policy of that id before, so no label of its own either."""
        return self.parent is None


History = Sequence[PolicyVersion]  # of one policy, oldest first


def canonical(policy: Policy) -> str:
    """The text that a version's hash is of: JSON with sorted keys, without what no label depends on."""
    told = policy.model_dump(mode="json", exclude=set(OPERATING))
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def content_hash(policy: Policy) -> str:
    """SHA-256 (hex) of the canonical text."""
    return hashlib.sha256(canonical(policy).encode()).hexdigest()


def parts(version: str) -> tuple[int, int, int]:
    """A version's numbers, which order versions. Raises InvalidInput."""
    numbers = version.split(".")
    if len(numbers) != 3 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise InvalidInput(f"version: {version!r} is not MAJOR.MINOR.PATCH, such as 1.2.0")
    major, minor, patch = numbers
    return int(major), int(minor), int(patch)


def step(before: str, after: str) -> str:
    """By what a version rises: ``major``, ``minor`` or ``patch``. Raises InvalidInput when it does not rise."""
    old, new = parts(before), parts(after)
    if new <= old:
        raise InvalidInput(f"version: {after} does not rise above {before}, which is published: raise it in the file")
    return "major" if new[0] > old[0] else "minor" if new[1] > old[1] else "patch"


def version_of(
    policy: Policy,
    kinds: Collection[ChangeKind],
    history: History,
    *,
    reason: str,
    actor: str,
    at: datetime,
    rules: Collection[str] = (),
    predecessors: Collection[str] = (),
) -> PolicyVersion:
    """The change from the newest of ``history`` to ``policy``, checked. Raises InvalidInput naming what does not fit:
    a version that does not rise, or not as its kinds ask for; a rule that is in neither text; a clarification that
    adds or drops rules or changes the severity; predecessors without a split or a merge."""
    if not reason.strip():
        raise InvalidInput("reason: say in a few words why the policy changes")
    parent = history[-1] if history else None
    before = parent.policy if parent else None
    ordered = tuple(kind for kind in ChangeKind if kind in kinds)
    _check_kinds(policy, ordered, before, predecessors)
    if parent is not None and parent.is_retired and ordered != (ChangeKind.NEW,):
        raise InvalidInput(f"kind: {policy.id} is retired, by version {parent.version}: to take it up again is new")
    if before is not None:
        _check_step(before, policy, ordered)
    known = {*policy.rule_ids, *(before.rule_ids if before else ())}
    if odd := sorted(set(rules) - known):
        raise InvalidInput(f"rules: {policy.id} has no rule {', '.join(odd)} (known: {', '.join(sorted(known))})")
    dropped = set(before.rule_ids) - set(policy.rule_ids) if before else set()
    return PolicyVersion(
        policy_id=policy.id,
        version=policy.version,
        content_hash=content_hash(policy),
        text=policy.model_dump(mode="json"),
        parent=parent.version if parent else None,
        kinds=ordered,
        rules=tuple(sorted({*rules, *dropped})),
        predecessors=tuple(sorted(set(predecessors) - {policy.id})),
        reason=reason.strip(),
        actor=actor,
        at=at,
    )


def _check_kinds(
    policy: Policy, kinds: Sequence[ChangeKind], before: Policy | None, predecessors: Collection[str]
) -> None:
    if not kinds:
        raise InvalidInput(f"kind: name at least one of {', '.join(ChangeKind)}")
    if ChangeKind.RETIRE in kinds and len(kinds) > 1:
        raise InvalidInput("kind: a policy that is retired changes in no other way: publish that by itself")
    if before is None and not set(kinds) <= {ChangeKind.NEW, ChangeKind.SPLIT, ChangeKind.MERGE}:
        raise InvalidInput(f"kind: {policy.id} is not published yet: its first version is new, a split or a merge")
    taken = {ChangeKind.SPLIT, ChangeKind.MERGE} & set(kinds)
    if predecessors and not taken:
        raise InvalidInput("from: only a split or a merge comes from other policies")
    if not (set(predecessors) - {policy.id}) and (ChangeKind.MERGE in kinds or (taken and before is None)):
        raise InvalidInput(f"from: name the policies that {policy.id} comes from")


def _check_step(before: Policy, policy: Policy, kinds: Sequence[ChangeKind]) -> None:
    rises = step(before.version, policy.version)
    told = f"version: {policy.id} {before.version} to {policy.version} is a {rises} step"
    if set(kinds) & MAJOR and rises != "major":
        raise InvalidInput(f"{told}; a {kinds[-1]} needs a major one, since labels lose their meaning")
    if kinds == (ChangeKind.CLARIFY,):
        if rises == "major":
            raise InvalidInput(f"{told}; a clarification is a patch or a minor one, since labels keep their meaning")
        if set(before.rule_ids) != set(policy.rule_ids) or before.severity != policy.severity:
            raise InvalidInput(
                f"kind: {policy.id} {policy.version} adds or drops rules, or has another severity, which is more than "
                "a clarification: name the kind that it is, such as tighten, loosen or new"
            )
    elif rises == "patch":
        raise InvalidInput(f"{told}; a change of kind {', '.join(kinds)} is at least a minor one")


def touches(change: PolicyVersion, outcome: Outcome, rule: str | None) -> bool:
    """Whether a label given before the change has to be given again, by the module's table; retired ones aside."""
    if change.is_first or change.is_retired:
        return False
    if outcome is Outcome.ALLOWED:
        return bool(OF_ALLOWED & set(change.kinds))
    if outcome is not Outcome.VIOLATES:
        return False
    if rule in change.rules or (rule is None and bool(change.rules)):
        return True
    return bool(OF_EVERY_RULE & set(change.kinds)) and not change.rules


def may_touch(change: PolicyVersion) -> bool:
    """Whether there is any label that the change touches."""
    return not (change.is_first or change.is_retired) and bool(
        change.rules or (OF_ALLOWED | OF_EVERY_RULE) & set(change.kinds)
    )


def published(history: History, version: str = "") -> PolicyVersion:
    """One version of a policy ("": the newest). Raises NotFound naming those that there are."""
    found = [one for one in history if version in ("", one.version)]
    if not found:
        known = ", ".join(one.version for one in history)
        raise NotFound(f"version: {history[-1].policy_id} has no version {version} (known: {known})")
    return found[-1]


def after(history: History, version: str) -> list[PolicyVersion]:
    """The changes of a policy that came after one of its versions."""
    return [change for change in history if parts(change.version) > parts(version)]


def holds(history: History, version: str, outcome: Outcome, rule: str | None, upto: str | None = None) -> bool:
    """Whether a label given under ``version`` means the same under ``upto`` (default: the newest)."""
    later = after(history, version)
    if upto is not None:
        later = [change for change in later if parts(change.version) <= parts(upto)]
    return not any(change.is_retired or touches(change, outcome, rule) for change in later)


def moved_to(history: History, state: GoldState, version: str, outcome: Outcome, rule: str | None) -> GoldState | None:
    """The state to which what was published since moves a golden item labelled under ``version``; None: it stays."""
    if state not in (GoldState.ACTIVE, GoldState.STALE):
        return None
    if any(change.is_retired for change in after(history, version)):
        return GoldState.RETIRED
    return None if state is GoldState.STALE or holds(history, version, outcome, rule) else GoldState.STALE


def by_policy(versions: Iterable[PolicyVersion]) -> dict[str, list[PolicyVersion]]:
    """Each policy's versions, lowest first."""
    found: dict[str, list[PolicyVersion]] = {}
    for version in versions:
        found.setdefault(version.policy_id, []).append(version)
    return {policy_id: sorted(found[policy_id], key=lambda v: parts(v.version)) for policy_id in sorted(found)}


def newest_texts(files: Mapping[str, Policy], histories: Mapping[str, History]) -> dict[str, Policy]:
    """Of each policy that has a file and is published the newest text, retired ones included, with the file's
    threshold. A file of a version that is not published is a draft and changes nothing."""
    return {
        policy_id: histories[policy_id][-1].policy.model_copy(update={"threshold": file.threshold})
        for policy_id, file in files.items()
        if histories.get(policy_id)
    }


def in_force(files: Mapping[str, Policy], histories: Mapping[str, History]) -> dict[str, Policy]:
    """What is asked and scored by now: ``newest_texts`` without what is retired."""
    texts = newest_texts(files, histories)
    return {policy_id: text for policy_id, text in texts.items() if not histories[policy_id][-1].is_retired}


def refuse_edits(files: Mapping[str, Policy], histories: Mapping[str, History], where: object) -> None:
    """Raises PolicyError when a file's text is not that of the version whose number it bears."""
    for policy_id, file in files.items():
        for published in histories.get(policy_id, ()):
            if published.version == file.version:
                _refuse_edited(file, published, where)


def _refuse_edited(file: Policy, published: PolicyVersion, where: object) -> None:
    if content_hash(file) != published.content_hash:
        differs = ", ".join(changed_keys(published.policy, file))
        raise PolicyError(
            f"{where}: {file.id} {file.version} is published with another text ({differs} differs), and versions are "
            "never edited in place: raise the version in the file and publish it (goldfold policy publish), or put the "
            "published text back (goldfold policy show)"
        )


def changed_keys(before: Policy, after_: Policy) -> list[str]:
    """The keys of a policy that two texts differ in, those that no label depends on left out."""
    old, new = (one.model_dump(mode="json", exclude=set(OPERATING)) for one in (before, after_))
    return [name for name in old if old[name] != new[name]]
