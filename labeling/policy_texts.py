"""A policy's text as people read it, and in what two texts differ."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

import yaml

from labeling.policies import Policy
from labeling.policy_versions import changed_keys

WIDTH = 110  # of the YAML that is shown


@dataclass(frozen=True, slots=True)
class Difference:
    """In what two texts of a policy differ. ``a``, ``b``: their names; ``keys`` of the policy; ``rules`` by id:
    ``added``, ``dropped``, ``changed``; ``lines``: a unified diff of the YAML, empty where nothing differs."""

    a: str
    b: str
    keys: list[str]
    rules: dict[str, list[str]]
    lines: list[str]


def as_yaml(policy: Policy) -> str:
    """A policy as YAML that may be put back into its file."""
    told = policy.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=WIDTH)


def difference(before: Policy, after: Policy, a: str, b: str) -> Difference:
    """In what ``after``, called ``b``, differs from ``before``, called ``a``."""
    old, new = ({rule.id: rule for rule in one.rules} for one in (before, after))
    rules = {
        "added": sorted(new.keys() - old.keys()),
        "dropped": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
    }
    lines = unified_diff(as_yaml(before).splitlines(), as_yaml(after).splitlines(), a, b, lineterm="", n=1)
    return Difference(a, b, changed_keys(before, after), rules, list(lines))
