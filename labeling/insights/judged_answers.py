"""People's blind answers beside settled gold, as the plain column records that the miner reads.

An answer is judged by gold that is active, was settled by people (unanimous, consensus or adjudicated), has one right
answer, and speaks for the policy version that was asked. Second looks are blind answers like any. Injections count
where their anchor may judge and its partition is told. Answers to items of the partitions sealed and anchor are
withheld, and counted.

Gold comes from the answers themselves, but for what leads decided: where all agreed there is no error to be seen, so
an error that everybody shares is found only once gold has been put right (a second look, a new policy version).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from labeling.blind_answers import BlindAnswer, Stores, blind_answers
from labeling.consensus import author, one_each, plain
from labeling.golden.contested import is_contested
from labeling.injections import SEEN
from labeling.quality.judged import HUMAN, TECHNICAL, label
from labeling.records import Answer, GoldenItem, GoldState, How, TaskKind
from labeling.store.interfaces import Lake
from labeling.yields import TOLD

Record = dict[str, str]  # the columns of labeling.quality.judged, by name
SETTLED = (How.UNANIMOUS, How.CONSENSUS, How.ADJUDICATED)
SHIFTS = ("night 00-08", "day 08-16", "late 16-24")


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """``records``: one a judged answer. ``gold``: by external id and policy the golden rows that judged them.
    ``withheld``: answers that are not told; ``unjudged``: those that no gold may judge (yet)."""

    records: tuple[Record, ...]
    gold: dict[tuple[str, str], GoldenItem]
    withheld: int
    unjudged: int


def judged_answers(stores: Stores, lake: Lake, zone: tzinfo) -> JudgedAnswers:
    """Every blind answer that gold may judge; ``zone``: by whose clock shifts are told."""
    told = blind_answers(stores, lake)
    gold = {(row.item_id, row.policy_id): row for row in stores.golden.items()}
    tasks = stores.tasks.find(sorted({row.task_id for row in told.answers}))
    records: list[Record] = []
    used: dict[tuple[str, str], GoldenItem] = {}
    unjudged = 0
    for row in told.answers:
        known = gold.get((row.item_id, row.policy_id))
        if known is None or not may_judge(known, tasks[row.task_id].policy_version):
            unjudged += 1
            continue
        used[known.external_id, known.policy_id] = known
        records.append(_of_blind(row, known, zone))
    injected, withheld, lost = _injections(stores, gold, zone)
    for known, record in injected:
        used[known.external_id, known.policy_id] = known
        records.append(record)
    return JudgedAnswers(tuple(records), used, told.withheld + withheld, unjudged + lost)


def may_judge(gold: GoldenItem, policy_version: str) -> bool:
    """Whether this label can say that an answer under ``policy_version`` is wrong."""
    settled = gold.state is GoldState.ACTIVE and gold.how in SETTLED and not is_contested(gold)
    return settled and gold.policy_version == policy_version


def production_record(
    *,
    item: str,
    policy: str,
    policy_version: str,
    gold: tuple[str, str | None],
    given: tuple[str, str | None],
    technical: bool = False,
    **where: str,
) -> Record:
    """A judged decision of production as a record. ``item``: external id; ``gold`` and ``given``: outcome (violates,
    allowed, context_missing) and rule. A decision that names no rule is not held to one. ``where``: group, person,
    team, language, shift, source and tool, as far as they are known."""
    outcome, rule = given
    if outcome == gold[0] and not rule:
        rule = gold[1]
    return {
        **where,
        "item": item,
        "gold": label(policy, *gold),
        "given": label(policy, outcome, rule),
        "error": TECHNICAL if technical else "",
        "policy_version": policy_version,
    }


def shift(at: datetime, zone: tzinfo) -> str:
    """The third of the day in which something was decided."""
    return SHIFTS[at.astimezone(zone).hour // 8]


def _injections(
    stores: Stores, gold: dict[tuple[str, str], GoldenItem], zone: tzinfo
) -> tuple[list[tuple[GoldenItem, Record]], int, int]:
    """Answers to injections, how many are withheld, and how many cannot be judged."""
    tasks = {task.task_id: task for task in stores.tasks.where(kind=TaskKind.INJECTION) if task.state in SEEN}
    found: list[tuple[GoldenItem, Record]] = []
    withheld = lost = 0
    for task_id, answers in stores.annotations.current(list(tasks)).items():
        task, each = tasks[task_id], one_each(answers)
        known = gold.get((task.item_id, task.policy_id))
        if known is None or not may_judge(known, task.policy_version):
            lost += len(each)
        elif known.partition not in TOLD:
            withheld += len(each)
        else:
            mine = [one for one in each if author(one) == task.assignee]  # nobody else's answer to it counts
            lost += len(each) - len(mine)
            found += [
                (known, _record(known, plain(one.answer), author(one), known.language, one.studio_updated_at, zone))
                for one in mine
            ]
    return found, withheld, lost


def _of_blind(row: BlindAnswer, gold: GoldenItem, zone: tzinfo) -> Record:
    return _record(gold, row.answer, row.person, row.language, row.at, zone)


def _record(gold: GoldenItem, answer: Answer, person: str, language: str, at: datetime, zone: tzinfo) -> Record:
    rule = gold.rule if str(gold.outcome) == "violates" else None
    return {
        "item": gold.external_id,
        "group": gold.group_id,
        "gold": label(gold.policy_id, str(gold.outcome), rule),
        "given": label(gold.policy_id, str(answer.outcome), answer.rule),
        "person": person,
        "language": "" if language == "und" else language,
        "shift": shift(at, zone),
        "source": HUMAN,
        "tool": f"{gold.modality} form",
        "policy_version": gold.policy_version,
    }
