"""Decision trees as they are read: what cannot be walked is refused, and every walk ends at one leaf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import Settings
from labeling.errors import InvalidInput, SopError
from labeling.policies import read_policies
from labeling.sop.lint import Level, lint
from labeling.sop.tree import read_sop, read_sops
from tests.labeling.sop.made import TREE, leaves, sop, steps


def written(folder: Path, told: object) -> Path:
    path = folder / "harm.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start": "nowhere"}, "start: 'nowhere' is no step (known: target, threat, slur)"),
        ({"leaves": leaves(allowed={"id": "kept"})}, "answer 'no': 'allowed' is no step and no leaf"),
        ({"leaves": leaves(ask={"id": "slur"})}, "the id slur is there more than once"),
        (
            {"steps": steps(slur={"answers": [{"says": "yes", "go": "target"}, {"says": "no", "go": "allowed"}]})},
            "target > threat > slur > target never ends",
        ),
        ({"leaves": leaves(allowed={"rule": "slur"})}, "rule: 'slur' was given, but the outcome is allowed"),
        ({"leaves": leaves(is_slur={"severity": None})}, "severity: missing; a leaf that violates names one"),
        ({"leaves": leaves(ask={"outcome": "legal_stop"})}, "a tree never leads to it"),
        ({"steps": steps(slur={"answers": [{"says": "no", "go": "ask"}, {"says": "No", "go": "ask"}]})}, "no is there"),
        ({"steps": steps(slur={"answers": [{"says": "a, b", "go": "ask"}, {"says": "c", "go": "ask"}]})}, "says"),
        ({"steps": steps(slur={"look_fro": ["x"]})}, "steps.2.look_fro: unknown key; did you mean 'look_for'?"),
    ],
)
def test_a_tree_that_cannot_be_walked_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SopError) as refused:
        read_sop(written(tmp_path, TREE | changes))
    assert told in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path}/harm.yaml: ")


def test_two_files_may_not_have_one_id(tmp_path: Path) -> None:
    written(tmp_path, TREE)
    (tmp_path / "again.yml").write_text((tmp_path / "harm.yaml").read_text())
    with pytest.raises(SopError, match="'harm' is used by another file"):
        read_sops(tmp_path)
    assert read_sops(tmp_path / "nowhere") == {}


def test_packaged_trees_fit_the_packaged_policies() -> None:
    settings = Settings()
    policies = read_policies(settings.policies_dir)
    trees = read_sops(settings.sops_dir)
    assert trees
    for tree in trees.values():
        assert [flaw for flaw in lint(tree, policies[tree.policy], []) if flaw.level is Level.ERROR] == []


@given(
    st.fixed_dictionaries({name: st.sampled_from(["yes", "no", "unclear"]) for name in ("target", "threat", "slur")})
)
def test_every_walk_ends_at_the_leaf_of_one_path(answers: dict[str, str]) -> None:
    passed, leaf = sop().walk(answers)
    assert leaf is not None
    ways = {
        "is_threat": ("yes", "yes"),
        "is_slur": ("yes", "no", "yes"),
        "allowed": ("no",) if answers["target"] == "no" else ("yes", "no", "no"),
    }
    said = tuple(answers[step] for step in passed)
    assert said == ways[leaf.id] if leaf.id != "ask" else said[-1] == "unclear"
    assert passed == ("target", "threat", "slur")[: len(passed)]
    assert len(passed) <= sop().depths()[leaf.id]


def test_a_walk_that_stops_early_ends_nowhere() -> None:
    assert sop().walk({"target": "yes", "slur": "yes"}) == (("target", "threat"), None)
    with pytest.raises(InvalidInput, match=r"step target: 'maybe' is not one of its answers \(yes, no, unclear\)"):
        sop().walk({"target": "maybe"})


def test_the_hash_covers_what_the_tree_says() -> None:
    assert sop().tree_hash == sop().tree_hash
    assert sop().tree_hash != sop(steps=steps(slur={"question": "Is a slur used?!"})).tree_hash


def test_a_tree_with_more_ways_than_anybody_could_go_is_measured_at_once() -> None:
    rungs = [
        {
            "id": f"q{i}",
            "question": "?",
            "answers": [{"says": says, "go": f"q{i + 1}" if i < 99 else "allowed"} for says in ("a", "b")],
        }
        for i in range(100)
    ]
    ladder = sop(start="q0", steps=rungs)  # 2^100 ways
    assert ladder.depths()["allowed"] == 100
    assert "is_slur" not in ladder.depths()
    assert "allowed" not in ladder.depths(without="q50")
