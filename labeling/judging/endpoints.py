"""``of_endpoint``: an agent as a contender, what it says beside its figures, and what asking it would cost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from labeling.golden.manifest import canonical
from labeling.judging.agent import Agent
from labeling.judging.bills import BASIS, SAID_TOKENS, Spent, guessed_tokens
from labeling.judging.contender import EXTERNAL, Contender
from labeling.judging.prompts import CUT, READ, REFUSED, UNREADABLE
from labeling.judging.scorers import limited
from labeling.quality.stability import stability
from labeling.records import GoldenItem, Outcome

KINDS = (READ, UNREADABLE, REFUSED, CUT)
Json = dict[str, object]


def of_endpoint(agent: Agent, name: str, limit: int | None = None) -> Contender:
    """``agent`` under the policies' thresholds; nobody knows what it has learnt. ``limit``: of the rows it is given
    those of so many items, drawn by hash. Raises, when it scores, what ``Agent.score`` raises."""

    def fit(rows: Sequence[GoldenItem]) -> list[GoldenItem]:
        agent.check(rows)
        return list(rows) if limit is None else limited(rows, limit)

    terms, asking = agent.terms, agent.asking
    details: Json = {
        "endpoint": agent.endpoint.name,
        "model": asking.model,
        "temperature": asking.temperature,
        "repeats": terms.repeats,
        "max_chars": terms.max_chars,
        "prompts": {
            policy: {"policy_version": prompt.policy.version, "prompt_sha256": prompt.digest}
            for policy, prompt in agent.prompts.items()
        },
    }
    return Contender(
        model_id=name,
        version=hashlib.sha256(canonical(details).encode()).hexdigest()[:16],
        family=EXTERNAL,
        policies=agent.names,
        thresholds={policy: agent.policies[policy].threshold for policy in agent.names},
        calibration_version=None,
        score=agent.score,
        fit=fit,
        details=details,
        beside=lambda: beside(agent),
        expect=agent.expect,
    )


def beside(agent: Agent) -> Json:
    """What became of its answers, how stable they are, what could not be asked, and what all of it cost: ``usage`` of
    every answer that counts here, ``usage_now`` of what this run had to ask."""
    pairs = sorted(agent.groups)
    told = {pair: agent.told(*pair) for pair in pairs}
    asked = {policy: [pair for pair in pairs if pair[1] == policy and told[pair]] for policy in agent.names}
    units = {policy: [told[pair] for pair in mine] for policy, mine in asked.items() if mine}
    groups = {policy: [agent.groups[pair] for pair in mine] for policy, mine in asked.items() if mine}
    whole = Spent()
    for said in agent.answers.values():
        whole = whole.plus(said)
    return {
        "answers": _counts(agent),
        "stability": stability(units, groups),
        "unread": agent.unread.told(),
        "shortened": len(agent.shortened),
        "served": dict(Counter(said.served for said in agent.answers.values() if said.served).most_common()),
        "usage": whole.told(agent.terms.prices),
        "usage_now": agent.spent.told(agent.terms.prices),
    }


def _counts(agent: Agent) -> Json:
    """How many answers were read, and what became of the others, over all and by policy."""
    by_policy: Json = {}
    for policy, prompt in agent.prompts.items():
        mine = [said for (digest, _, _), said in agent.answers.items() if digest == prompt.digest]
        kinds = Counter(said.kind for said in mine)
        missing = sum(said.outcome == Outcome.CONTEXT_MISSING.value for said in mine)
        by_policy[policy] = {kind: kinds[kind] for kind in KINDS} | {Outcome.CONTEXT_MISSING.value: missing}
    whole = Counter(said.kind for said in agent.answers.values())
    return {kind: whole[kind] for kind in KINDS} | {"policies": by_policy}


def estimate(agent: Agent, contender: Contender, rows: Sequence[GoldenItem]) -> Json:
    """What judging these rows would ask and cost, by a rule of thumb; nothing is asked. ``kept``: answers that are paid
    for already."""
    fit = [row for row in contender.fit(rows) if row.policy_id in agent.prompts]
    calls = kept = tokens = 0
    for question, is_kept in agent.left(fit):
        kept += is_kept
        if not is_kept:
            calls += 1
            tokens += guessed_tokens(question.prompt, question.text)
    return {
        "pairs": len({(row.item_id, row.policy_id) for row in fit}),
        "calls": calls,
        "kept": kept,
        "tokens_in": tokens,
        "tokens_out": calls * SAID_TOKENS,
        "cost": agent.terms.prices.cost(tokens, calls * SAID_TOKENS),
        "unread": agent.unread.told(),
        "basis": BASIS,
    }
