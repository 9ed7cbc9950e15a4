from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from labeling.errors import PolicyError
from labeling.policies import Policy, read_policies, read_policy

GOOD = """\
id: harm
title: Harm
version: 1.0.0
definition: Words that hurt.
severity: 2
threshold: 0.5
rules:
  - id: general
    title: General
    definition: Any of it.
"""


def write(folder: Path, text: str, name: str = "harm.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(PolicyError) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_policy_is_read_as_written(tmp_path: Path) -> None:
    policy = read_policy(write(tmp_path, GOOD))
    assert (policy.id, policy.severity, policy.threshold, policy.rule_ids) == ("harm", 2, 0.5, ("general",))
    assert policy.text == "Harm: Words that hurt.\nGeneral: Any of it."
    assert read_policies(tmp_path) == {"harm": policy}


def test_what_only_annotators_read_is_no_part_of_the_text_that_models_read(tmp_path: Path) -> None:
    more = "    examples: [It hurts.]\n    near_misses: [It does not.]\nguidelines: [Read it twice.]\nblur: true\n"
    policy = read_policy(write(tmp_path, GOOD + more))
    assert (policy.guidelines, policy.blur) == (("Read it twice.",), True)
    assert (policy.rules[0].examples, policy.rules[0].near_misses) == (("It hurts.",), ("It does not.",))
    assert policy.text == read_policy(write(tmp_path, GOOD)).text


def test_every_packaged_field_survives_a_round_trip(tmp_path: Path) -> None:
    policy = read_policy(write(tmp_path, GOOD))
    again = write(tmp_path, yaml.safe_dump(policy.model_dump(mode="json")), "again.yaml")
    assert read_policy(again) == policy


def test_a_typo_names_the_key_and_the_known_ones(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("threshold:", "treshold:"))
    assert "treshold: unknown key; did you mean 'threshold'? (known: id, title, version, definition" in message
    assert "threshold: Field required" in message


def test_a_typo_in_a_rule_names_its_place_and_the_keys_of_a_rule(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "    example: none\n")
    assert (
        "rules.0.example: unknown key; did you mean 'examples'? (known: id, title, definition, examples, near_misses)"
        in message
    )


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("threshold: 0.5", "threshold: 1.5", "threshold"),
        ("threshold: 0.5", "threshold: 0", "threshold"),
        ("threshold: 0.5", "threshold: .nan", "threshold"),
        ("threshold: 0.5", "threshold: half", "threshold"),
        ("severity: 2", "severity: 5", "severity"),
        ("severity: 2", "severity: -1", "severity"),
        ("severity: 2", "severity: yes", "severity"),
        ("version: 1.0.0", "version: 1.0", "version"),
        ("version: 1.0.0", "version: v1", "version"),
        ("id: harm", "id: Harm Done", "id"),
        ("id: harm", "id: 7", "id"),
        ("title: Harm", "title: '  '", "title"),
        ("definition: Words that hurt.", "definition:", "definition"),
        ("severity: 2", "severity: 2\nblur: sometimes", "blur"),
        ("severity: 2", "severity: 2\nguidelines: one text", "guidelines"),
        ("  - id: general", "  - id: GENERAL", "rules.0.id"),
    ],
)
def test_a_value_out_of_range_names_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in GOOD
    assert f" {key}: " in refused(tmp_path, GOOD.replace(old, new, 1))


def test_rules_must_be_there_and_differ(tmp_path: Path) -> None:
    assert "rules: " in refused(tmp_path, GOOD.split("rules:")[0] + "rules: []\n")
    twice = GOOD + "  - id: general\n    title: Again\n    definition: The same.\n"
    assert "general is there more than once" in refused(tmp_path, twice)


def test_a_key_twice_is_refused_rather_than_overwritten(tmp_path: Path) -> None:
    assert "threshold is there twice" in refused(tmp_path, GOOD + "threshold: 0.9\n")
    assert "title is there twice" in refused(tmp_path, GOOD + "    title: Other\n")


@pytest.mark.parametrize(
    "text",
    ["", "- a\n- b\n", "just words", "id: [", "\tid: harm", "id: !!python/object:os.system x", "2: 3", "? [a]\n: b"],
)
def test_what_is_no_policy_is_refused_in_words(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_what_is_no_yaml_is_told_in_one_line_with_its_place(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "\n  : [")
    assert message.endswith(
        f"cannot be read as YAML: line {GOOD.count(chr(10)) + 2}: expected <block end>, but found ':'"
    )


@pytest.mark.parametrize("text", ["version: 2026-99-99", "[" * 5000])
def test_what_trips_the_reader_itself_is_refused_too(tmp_path: Path, text: str) -> None:
    assert "cannot be read as YAML" in refused(tmp_path, text)


def test_bytes_that_are_no_utf8_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "harm.yaml"
    path.write_bytes(b"id: \xff\xfe")
    with pytest.raises(PolicyError, match="cannot be read"):
        read_policy(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")


def test_one_id_in_two_files_names_the_second(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "a.yaml")
    write(tmp_path, GOOD, "b.yml")
    with pytest.raises(PolicyError, match=r"b\.yml: id: 'harm' is used by another file"):
        read_policies(tmp_path)


def test_an_empty_or_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(PolicyError, match=re.escape(str(folder)) + ".*policies_dir"):
            read_policies(folder)


def test_one_bad_file_stops_the_folder(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("harm", "other").replace("severity", "severe"), "other.yaml")
    with pytest.raises(PolicyError, match=r"other\.yaml: .*severe: unknown key"):
        read_policies(tmp_path)


def test_a_policy_never_changes(tmp_path: Path) -> None:
    policy: Policy = read_policy(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        policy.threshold = 0.9
