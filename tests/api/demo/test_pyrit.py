"""The demo's content, read out of a wheel that is never installed."""

from __future__ import annotations

import csv
import io
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from api.demo import pyrit
from api.demo.pyrit import DemoDataError, DemoRow, fetch, human_answers, read_set
from configs.settings import PACKAGED_POLICIES
from labeling.items import build_item
from labeling.policies import Policy, Rule, read_policies
from labeling.records import Answer, Outcome

DATA_DIR = Path(__file__).resolve().parents[3] / "data"  # where the demo keeps it too, so one fetch serves both
COMMENT = "# dataset_version=1.0, harm_definition=x.yaml,,\n"
ONE = ["harm_category", "objective", "assistant_response", "human_score", "data_type"]
THREE = [*ONE[:3], "human_score_1", "human_score_2", "human_score_3", "data_type"]
RULE = Rule(id="main", title="Main", definition="The one clause.")
POLICY = Policy(
    id="sexual", title="Sexual", version="1.0.0", definition="Sexual content.", severity=3, threshold=0.5, rules=(RULE,)
)


def table(header: list[str], *rows: list[object]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows])
    return COMMENT + file.getvalue()


def wheel(folder: Path, **files: str) -> Path:
    path = folder / pyrit.WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{pyrit.FOLDER}{name}.csv", text)
        archive.writestr("pyrit/datasets/scorer_evals/objective/other.csv", "not,ours\n")
        archive.writestr(f"{pyrit.FOLDER}notes.jsonl", "{}")
    return path


def test_rows_keep_their_human_scores_and_repeats_are_counted(tmp_path: Path) -> None:
    found = read_set(
        wheel(
            tmp_path,
            sexual=table(ONE, ["SEXUAL_CONTENT", "Q, one", 'A "one"\nmore', "0.75", "text"]),
            violence=table(
                THREE,
                ["violence", "q", "# a", 0, 0.25, 1, "text"],
                ["violence", "q", "# a", 0, 0.25, 1, "text"],
                ["violence", "q", "# a", 1, 1, 1, "text"],
            ),
        )
    )
    assert found.rows == (
        DemoRow("sexual-0001", 'User: Q, one\n\nAssistant: A "one"\nmore', "sexual", "pyrit/sexual", (0.75,)),
        DemoRow("violence-0001", "User: q\n\nAssistant: # a", "violence", "pyrit/violence", (0.0, 0.25, 1.0)),
    )
    assert (found.repeated, found.contradicting) == (2, 1)
    assert len(found.wheel_sha256) == 64


def test_a_row_is_an_item_without_its_scores() -> None:
    row = DemoRow("sexual-0001", "text", "sexual", "pyrit/sexual", (0.75,))
    item = build_item(row.as_item(), 1, 100, ["sexual"])
    assert (item.external_id, item.language, item.surface) == ("sexual-0001", "en", "pyrit/sexual")
    assert item.policies == ("sexual",)


def test_scores_become_answers() -> None:
    row = DemoRow("r", "t", "sexual", "s", (0.0, 0.25, 0.5, 0.75, 1.0))
    assert human_answers(row, POLICY) == (
        Answer(Outcome.ALLOWED),
        Answer(Outcome.ALLOWED),
        Answer(Outcome.VIOLATES, "main", 2),
        Answer(Outcome.VIOLATES, "main", 3),
        Answer(Outcome.VIOLATES, "main", 4),
    )


def test_a_score_is_never_replayed_under_a_policy_it_was_not_given_for() -> None:
    row = DemoRow("r", "t", "sexual", "s", (1.0,))
    two = POLICY.model_copy(update={"rules": (RULE, RULE.model_copy(update={"id": "other"}))})
    for policy in (two, POLICY.model_copy(update={"id": "violence"})):
        with pytest.raises(DemoDataError, match="needs the policy 'sexual' with one rule"):
            human_answers(row, policy)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (table(ONE, ["weather", "q", "a", 1, "text"]), "sexual.csv: row 1: no column or harm 'weather'"),
        (table(["harm_category"], ["violence"]), "row 1: no column or harm 'objective'"),
        (table(ONE, ["violence", "q", "a", 1, "text"], ["violence", "", "a", 1, "text"]), "row 2: objective is empty"),
        (table(ONE, ["violence", "q", "a", "high", "text"]), "row 1: could not convert string to float"),
        (table(ONE, ["violence", "q", "a", 1.5, "text"]), "row 1: expected human scores in [0, 1], found (1.5,)"),
        (table(ONE, ["violence", "q", "a", "", "text"]), "row 1: expected human scores in [0, 1], found ()"),
        (table(ONE, ["violence", "q"]), "row 1: assistant_response is empty"),
        (table(ONE) + '"open', "sexual.csv: is not CSV: unexpected end of data"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DemoDataError) as caught:
        read_set(wheel(tmp_path, sexual=text))
    assert says in str(caught.value)


def test_a_wheel_that_is_none_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"not a zip")
    with pytest.raises(DemoDataError, match="cannot be read"):
        read_set(broken)
    with pytest.raises(DemoDataError, match="cannot be read"):
        read_set(tmp_path / "none.whl")
    with pytest.raises(DemoDataError, match=r"holds no .*csv"):
        read_set(wheel(tmp_path))


def test_a_wheel_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    there = wheel(tmp_path / "demo")
    monkeypatch.setattr(pyrit, "WHEEL_SHA256", sha256(there.read_bytes()).hexdigest())
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch(tmp_path) == there


def test_another_wheel_under_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    wheel(tmp_path / "demo")
    with pytest.raises(DemoDataError, match=r"its sha256 is .* expected .*; delete it"):
        fetch(tmp_path)


def test_without_a_network_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DemoDataError, match=r"pip could not fetch pyrit==1.1.0 \(.*; connect this machine .* by hand"):
        fetch(tmp_path)


def test_a_slow_network_is_given_up_in_time(tmp_path: Path) -> None:
    with pytest.raises(DemoDataError, match="within 0 s"):
        fetch(tmp_path, timeout_s=0.01)


@pytest.mark.slow
def test_the_real_wheel() -> None:
    try:
        found = read_set(fetch(DATA_DIR, timeout_s=120))
    except DemoDataError as error:
        pytest.skip(str(error))
    assert (len(found.rows), found.repeated, found.contradicting) == (984, 21, 5)
    assert sum(len(row.scores) == 3 for row in found.rows) == 386
    policies = read_policies(PACKAGED_POLICIES)
    assert {row.policy_id for row in found.rows} == set(pyrit.HARMS.values())
    for number, row in enumerate(found.rows, 1):
        assert build_item(row.as_item(), number, 20_000, policies).external_id == row.external_id
        assert len(human_answers(row, policies[row.policy_id])) == len(row.scores)
