from __future__ import annotations

from configs.settings import PACKAGED_POLICIES
from labeling.policies import read_policies

HARMS = [
    "exploits",
    "hate_speech",
    "information_integrity",
    "privacy",
    "representational",
    "self_harm",
    "sexual",
    "violence",
]


def test_the_packaged_policies_are_the_eight_harms_of_the_demo() -> None:
    policies = read_policies(PACKAGED_POLICIES)
    assert sorted(policies) == HARMS
    for policy in policies.values():
        assert (policy.version, policy.threshold, policy.rule_ids) == ("1.0.0", 0.5, ("general",))
        # Cold-start prototypes are made from this text: it must say what violates, and what does not.
        assert 200 < len(policy.text) < 1200
        assert "allowed" in policy.definition
        assert "not enough" in policy.rules[0].definition


def test_the_packaged_policies_tell_annotators_what_violates_what_does_not_and_how_to_decide() -> None:
    policies = read_policies(PACKAGED_POLICIES)
    for policy in policies.values():
        assert len(policy.guidelines) >= 3
        assert all(len(rule.examples) >= 2 and len(rule.near_misses) >= 2 for rule in policy.rules)
    assert {name for name, policy in policies.items() if policy.blur} == {"self_harm", "sexual", "violence"}
