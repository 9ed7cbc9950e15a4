from __future__ import annotations

import yaml

from labeling.policies import Policy
from labeling.policy_texts import as_yaml, difference
from tests.labeling.test_policy_versions import policy


def test_a_text_may_be_put_back_into_its_file() -> None:
    assert Policy.model_validate(yaml.safe_load(as_yaml(policy()))) == policy()


def test_a_difference_names_keys_rules_and_lines() -> None:
    before = policy()
    first = before.rules[0]
    added = first.model_copy(update={"id": "coded"})
    changed = first.model_copy(update={"definition": "another"})
    after = before.model_copy(update={"version": "1.1.0", "rules": (changed, added)})
    found = difference(before, after, "harm@1.0.0", "file")
    assert found.keys == ["version", "rules"]
    dropped = sorted(set(before.rule_ids) - {first.id})
    assert found.rules == {"added": ["coded"], "dropped": dropped, "changed": [first.id]}
    assert found.lines[:2] == ["--- harm@1.0.0", "+++ file"]
    assert "+version: 1.1.0" in found.lines
    assert difference(before, before, "a", "b").lines == []
