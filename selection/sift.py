"""Stage one of a large round: a stream of blocks in, the few rows that a round looks at closely out.

A block is read once, in any cut and order, and without its embeddings. What is kept adds up, so that parts of a frame
may be sifted on different machines and merged: sums and counts of everything, and, of every cell (items that quotas
and eligibility treat alike), the rows that any rank of the round may ask for. Stage two then makes the very picks that
it would make of the whole frame, with the same ``pi``:

- ``random`` takes the units with the n smallest random numbers: bottom-k of each policy.
- ``risk`` steps along all units in the order of their random numbers. Their sums by bucket say in which buckets a step
  lands; a second look (``Catch``) at ids and probabilities brings the units of these buckets.
- ``auto`` asks for the A_PICK n candidates nearest a boundary and the first by chance, without those that are taken
  already: never for more than K in all. An item among the K nearest under some policies of some cells is among the K
  nearest of its own cell under one of these policies, so the lists of each cell and policy hold all that is asked for.

Rows that share a near-duplicate group are all kept, for what stands for a group depends on all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from selection.blocks import Block, Tally, joined
from selection.chance import risk_sizes, split_budget
from selection.checks import check_plan, check_pool
from selection.errors import BadPlan, EmptyFrame
from selection.frame import Frame, check_budget, frame_of
from selection.hashing import F64, U64, item_hashes, uniform, uniforms
from selection.sampling import I64, Mass, bucket_of, hit_buckets, points_of
from selection.strategies.auto import A_PICK, TYPICAL_OF
from selection.types import QUOTA_FIELDS, Bool, Plan, Pool
from selection.uncertainty import logit
from selection.whole import Cell, Whole

BUCKETS = 2**20  # of the random numbers of the lane risk: of 10^9 units, each holds a thousand
_PENDING_ROWS = 65_536  # rows that wait before the lists are cut to size again
_DIGITS = 9  # as ``auto`` rounds distances
_STREAMED = ("random", "risk", "uncertain")

Key = tuple[bytes, str, int]  # cell, list, policy column


@dataclass(frozen=True, slots=True)
class Sifted:
    """Stage one's outcome: ``pool`` of the shortlisted, in id order and without embeddings, and what is known of all.
    ``Selection`` comes of it by ``selection.select.select_sifted``."""

    pool: Pool
    whole: Whole


def can_sift(plan: Plan) -> bool:
    """Does this module know all that the plan may ask for? Otherwise the whole frame must be at hand."""
    known = {lane.name in _STREAMED and (lane.name != "uncertain" or lane.strategy == "auto") for lane in plan.lanes}
    return known == {True} and plan.per == "pick" and plan.max_minutes is None and plan.per_author is None


class Sift:
    """Stage one of a plan over items under ``policies``. Ids must come once: the blocks of a lake's key do."""

    def __init__(self, plan: Plan, policies: tuple[str, ...]) -> None:
        """Raises BadPlan for a plan that must see the whole frame, and as ``check_plan`` does, but of quotas: whether
        the frame has their words is known in the end."""
        self._tally = Tally(policies=np.zeros(len(policies), np.int64))
        if not can_sift(plan):
            raise BadPlan(
                "lanes: only random, risk and uncertain by 'auto', without costs and bounds per author, are picked "
                "from a stream: give the whole pool to select"
            )
        check_plan(replace(plan, quotas=()), self._tally.pool(policies))
        self._plan, self._policies = plan, policies
        self._sizes = split_budget(plan)
        self._risk = self._sizes.get("risk", 0)
        self._purposive = any(lane.name == "uncertain" for lane in plan.lanes)
        self._taus = logit(np.array([plan.thresholds[policy] for policy in policies], np.float64))
        self._mass = Mass(self._risk, BUCKETS if self._risk else 1)
        self._units, self._alone = 0, 0
        self._cells: dict[bytes, I64] = {}  # (1 + k,): items, and those at or above each threshold
        self._cuts: dict[Key, tuple[float, float]] = {}
        self._kept: list[Block] = []
        self._pending = 0
        self._shared: list[Block] = []

    def add(self, block: Block) -> None:
        """Read a block. Raises BadPool naming the field and the item of what breaks a rule of ``Pool``, BadPlan where
        near-duplicates count and the block does not say whose they are."""
        check_pool(block.pool(self._policies))
        if block.groups is None and self._plan.duplicate_cosine is not None:
            raise BadPlan(
                "duplicate_cosine: a stream does not hold the embeddings that groups are found by: give each block "
                "its groups, or choose none"
            )
        self._tally.add(block)
        shared, alone = _parted(self._plan, block)
        if len(shared):
            self._shared.append(shared)
        if len(alone):
            self._add_alone(alone)

    def merge(self, other: Sift) -> None:
        """Take in what another machine sifted of other items. Raises BadPlan where it did so under another plan."""
        if (self._plan, self._policies) != (other._plan, other._policies):
            raise BadPlan("merge: the parts of a frame were sifted under different plans or policies: sift one anew")
        self._tally.merge(other._tally)
        self._mass.merge(other._mass)
        self._units, self._alone = self._units + other._units, self._alone + other._alone
        for cell, counts in other._cells.items():
            self._cells[cell] = self._cells.get(cell, 0) + counts
        self._shared += other._shared
        self._kept += other._kept
        self._cut()

    def catch(self) -> Catch | None:
        """The second look that the plan needs once all blocks were added or merged; None: it needs none.

        Raises BadPlan, EmptyFrame and BudgetTooLarge as ``select`` does of the whole pool."""
        self._check()
        if not self._risk:
            return None
        mass = self._whole_mass()
        rule = mass.rule(self._risk, self._plan.risk_floor)
        free = mass.free(rule)
        points = points_of(free, rule.left, uniform(self._plan.seed, "risk start"))
        return Catch(self._plan, self._policies, hit_buckets(points, free))

    def done(self, catch: Catch | None = None) -> Sifted:
        """The shortlist. ``catch``: what a second look found, where the plan needs one. Raises what ``catch`` does."""
        groups, units = self._check()
        if self._risk and catch is None:
            raise BadPlan("lanes: risk: needs a second look at the blocks (Sift.catch)")
        self._cut()
        short = _in_order(joined([*self._kept, *self._shared, *(catch.found if catch is not None else ())]))
        counts = self._tally.counts(self._policies, groups, units)
        whole = Whole(units, self._whole_mass(), counts, tuple(self._left_out(short)))
        return Sifted(short.pool(self._policies), whole)

    def _check(self) -> tuple[int, int]:
        """Groups and units, where the plan can be carried out."""
        check_plan(self._plan, self._tally.pool(self._policies))
        if not self._tally.pairs:
            raise EmptyFrame(f"none of the pool's {self._tally.rows} items may be picked under any policy")
        shared = self._shared_frame()
        groups = self._alone + (0 if shared is None else len(np.unique(shared.group)))
        units = self._units + (0 if shared is None else len(shared))
        check_budget(self._plan, units)
        return groups, units

    def _add_alone(self, block: Block) -> None:
        self._alone += len(block)
        self._units += int(block.eligible.sum())
        if self._risk:
            for rows, numbers, sizes in _risks(self._plan, self._policies, block):
                self._mass.add(sizes, numbers[rows])
        for cell, rows in self._by_cell(block):
            self._cells[cell] = self._cells.get(cell, 0) + self._count(block, rows)
        near = np.zeros(len(block), dtype=bool)
        for key, _, rows, values, ties in self._lists(block):
            value, tie = self._cuts.get(key, (np.inf, np.inf))
            near[rows] |= (values < value) | ((values == value) & (ties <= tie))
        self._kept.append(block.of(np.flatnonzero(near)))
        self._pending += len(self._kept[-1])
        if self._pending > _PENDING_ROWS:
            self._cut()

    def _cut(self) -> None:
        """Let go of what is on no list any more."""
        self._pending = 0
        if not self._kept:
            return
        block = joined(self._kept)
        stay = np.zeros(len(block), dtype=bool)
        for key, most, rows, values, ties in self._lists(block):
            if len(rows) <= most:
                stay[rows] = True
                continue
            value, tie = self._cuts[key] = _last_of(values, ties, most)
            stay[rows] |= (values < value) | ((values == value) & (ties <= tie))
        self._kept = [block.of(np.flatnonzero(stay))]

    def _lists(self, block: Block) -> Iterator[tuple[Key, int, I64, F64, F64]]:
        """Each list that rows of a block may be on: its key, how many it holds, and the rows with what ranks them,
        smallest value first and of equals the smallest tie."""
        hashes = _hashes(block)
        for column, policy in enumerate(self._policies):
            if self._sizes.get("random"):
                rows = np.flatnonzero(block.eligible[:, column])
                numbers = uniforms(hashes[rows], self._plan.seed, "random", policy)
                yield (b"", "random", column), self._sizes["random"], rows, numbers, np.zeros(len(rows))
        if self._risk:
            for column, (rows, numbers, sizes) in enumerate(_risks(self._plan, self._policies, block)):
                yield (b"", "risk", column), self._risk, rows, -sizes.astype(np.float64), numbers[rows]
        if self._purposive:
            yield from self._purposive_lists(block, uniforms(hashes, self._plan.seed, "uncertain"))

    def _purposive_lists(self, block: Block, ties: F64) -> Iterator[tuple[Key, int, I64, F64, F64]]:
        budget, cells = self._plan.budget, self._by_cell(block)
        nearest = (A_PICK[1] + 1) * budget
        for cell, rows in cells:
            yield (cell, "typical", 0), TYPICAL_OF + budget, rows, ties[rows], ties[rows]
        for column, tau in enumerate(self._taus.tolist()):
            logits = logit(block.probabilities[:, column].astype(np.float64))
            for boundary in dict.fromkeys((tau, tau / 2)):
                away = np.round(np.abs(logits - boundary), _DIGITS)
                for cell, rows in cells:
                    if block.eligible[rows[0], column]:
                        yield (cell, f"near {boundary}", column), nearest, rows, away[rows], ties[rows]

    def _by_cell(self, block: Block) -> list[tuple[bytes, I64]]:
        """The cells of a block's items, with their rows."""
        if not self._purposive or not len(block):
            return []
        asked = [(quota.value, block.words(quota.key)) for quota in self._plan.quotas if quota.key in QUOTA_FIELDS]
        of = [np.array([word == value for word in words or [""] * len(block)]) for value, words in asked]
        bits = np.packbits(np.column_stack([block.eligible, *of]), axis=1)
        if (bits == bits[0]).all():
            return [(bits[0].tobytes(), np.arange(len(block), dtype=np.int64))]
        cells, places = np.unique(bits, axis=0, return_inverse=True)
        return [(cell.tobytes(), np.flatnonzero(places == number)) for number, cell in enumerate(cells)]

    def _count(self, block: Block, rows: I64) -> I64:
        """(1 + k,) the items, and those at or above each threshold under which they may be picked."""
        taus = np.array([self._plan.thresholds[policy] for policy in self._policies], np.float64)
        above = (block.probabilities[rows] >= taus) & block.eligible[rows]
        return np.array([len(rows), *above.sum(axis=0)], dtype=np.int64)

    def _left_out(self, short: Block) -> Iterator[Cell]:
        """What of each cell is not on the shortlist, which is in id order."""
        alone = short.of(np.flatnonzero(_alone(self._plan, short)))
        for cell, rows in self._by_cell(alone):
            others = self._cells[cell] - self._count(alone, rows)
            if others[0]:
                yield Cell(alone.ids[rows[0]], int(others[0]), others[1:].astype(np.float64))

    def _shared_frame(self) -> Frame | None:
        """The units of the items that have near-duplicates."""
        blocks = [block for block in self._shared if len(block)]
        return frame_of(joined(blocks).pool(self._policies), self._plan) if blocks else None

    def _whole_mass(self) -> Mass:
        mass = Mass(self._mass.most, self._mass.buckets)
        mass.merge(self._mass)
        shared = self._shared_frame() if self._risk else None
        if shared is not None:
            sizes = risk_sizes(self._plan, shared.of_policy(self._plan.severities), shared.mean)
            mass.add(sizes, shared.uniforms(self._plan.seed, "risk"))
        return mass


class Catch:
    """The second look of the lane ``risk``: the items with a unit in a bucket where a step lands. Parts merge."""

    def __init__(self, plan: Plan, policies: tuple[str, ...], hit: Bool) -> None:
        self._plan, self._policies, self._hit = plan, policies, hit
        self.found: list[Block] = []

    def add(self, block: Block) -> None:
        """Look at a block that was sifted."""
        block = _parted(self._plan, block)[1]
        near = np.zeros(len(block), dtype=bool)
        for rows, numbers, _ in _risks(self._plan, self._policies, block):
            near[rows] |= self._hit[bucket_of(numbers[rows], len(self._hit))]
        self.found.append(block.of(np.flatnonzero(near)))

    def merge(self, other: Catch) -> None:
        """Take in what another machine found."""
        self.found += other.found


def sift(blocks: Callable[[], Iterable[Block]], plan: Plan, policies: tuple[str, ...]) -> Sifted:
    """Both looks at a frame that one process reads; ``blocks`` starts a new reading."""
    first = Sift(plan, policies)
    for block in blocks():
        first.add(block)
    catch = first.catch()
    if catch is not None:
        for block in blocks():
            catch.add(block)
    return first.done(catch)


def _hashes(block: Block) -> U64:
    return item_hashes(block.ids) if block.hashes is None else block.hashes


def _alone(plan: Plan, block: Block) -> Bool:
    """(b,) the items without near-duplicates."""
    if block.groups is None or plan.duplicate_cosine is None:
        return np.ones(len(block), dtype=bool)
    return block.groups < 0


def _parted(plan: Plan, block: Block) -> tuple[Block, Block]:
    """The items that have near-duplicates, and those that have none and may be picked, with their hashes."""
    block, alone = replace(block, hashes=_hashes(block)), _alone(plan, block)
    if plan.duplicate_cosine is None:
        block = replace(block, groups=None)
    picked = alone & block.eligible.any(axis=1)
    return block.of(np.flatnonzero(~alone)), block if picked.all() else block.of(np.flatnonzero(picked))


def _risks(plan: Plan, policies: tuple[str, ...], block: Block) -> Iterator[tuple[I64, F64, I64]]:
    """For each policy the rows of its units, the random numbers of all rows, and the sizes of those units."""
    hashes = _hashes(block)
    for column, policy in enumerate(policies):
        rows = np.flatnonzero(block.eligible[:, column])
        chances = block.probabilities[rows, column].astype(np.float64)
        numbers = uniforms(hashes, plan.seed, "risk", policy)
        yield rows, numbers, risk_sizes(plan, np.full(len(rows), plan.severities[policy]), chances)


def _last_of(values: F64, ties: F64, n: int) -> tuple[float, float]:
    """The n-th smallest (value, tie)."""
    value = float(np.partition(values, n - 1)[n - 1])
    among = ties[values == value]
    place = n - int(np.count_nonzero(values < value)) - 1
    return value, float(np.partition(among, place)[place])


def _in_order(block: Block) -> Block:
    """By id, each item once."""
    order = sorted(range(len(block)), key=block.ids.__getitem__)
    once = [row for at, row in enumerate(order) if at == 0 or block.ids[row] != block.ids[order[at - 1]]]
    return block.of(np.array(once, dtype=np.int64))
