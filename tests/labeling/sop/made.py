"""A decision tree and a policy for tests: small, with nothing for lint to find but examples."""

from __future__ import annotations

from typing import Any

from labeling.policies import Policy
from labeling.sop.tree import Sop

TREE: dict[str, Any] = {
    "id": "harm",
    "version": "1.0.0",
    "policy": "harm",
    "policy_version": "1.0.0",
    "start": "target",
    "steps": [
        {
            "id": "target",
            "question": "Is somebody addressed?",
            "look_for": ["a name"],
            "examples": {"positive": ["i1"], "near_miss": ["i2"]},
            "answers": [
                {"says": "yes", "go": "threat"},
                {"says": "no", "go": "allowed"},
                {"says": "unclear", "go": "ask"},
            ],
        },
        {
            "id": "threat",
            "question": "Is harm announced to them?",
            "examples": {"positive": ["i1"], "near_miss": ["i2"]},
            "answers": [
                {"says": "yes", "go": "is_threat"},
                {"says": "no", "go": "slur"},
                {"says": "unclear", "go": "ask"},
            ],
        },
        {
            "id": "slur",
            "question": "Is a slur used?",
            "examples": {"positive": ["i1"], "near_miss": ["i2"]},
            "answers": [
                {"says": "yes", "go": "is_slur"},
                {"says": "no", "go": "allowed"},
                {"says": "unclear", "go": "ask"},
            ],
        },
    ],
    "leaves": [
        {"id": "allowed", "outcome": "allowed", "action": "keep"},
        {
            "id": "is_threat",
            "outcome": "violates",
            "rule": "threat",
            "severity": 3,
            "action": "remove",
            "exceptions": [{"text": "it is a line of a play", "asked_at": "target"}],
        },
        {"id": "is_slur", "outcome": "violates", "rule": "slur", "severity": 2, "action": "remove"},
        {"id": "ask", "outcome": "context_missing", "action": "ask a lead"},
    ],
}


def sop(**changes: Any) -> Sop:
    return Sop.model_validate(TREE | changes)


def steps(**changes: Any) -> list[dict[str, Any]]:
    """The tree's steps, those named changed."""
    return [step | changes.get(str(step["id"]), {}) for step in TREE["steps"]]


def leaves(**changes: Any) -> list[dict[str, Any]]:
    return [leaf | changes.get(str(leaf["id"]), {}) for leaf in TREE["leaves"]]


def policy(version: str = "1.0.0", rules: tuple[str, ...] = ("threat", "slur")) -> Policy:
    told = {
        "id": "harm",
        "title": "Harm",
        "version": version,
        "definition": "what harms",
        "severity": 3,
        "threshold": 0.5,
        "rules": [{"id": rule, "title": rule.title(), "definition": f"a {rule} & more"} for rule in rules],
    }
    return Policy.model_validate(told)
