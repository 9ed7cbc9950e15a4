"""Bad input through the command line: a clear error naming the field or the row, nothing half-written, and a later run
goes on. Ledger, lake and jobs are real; Label Studio's own failures are in ``test_bad_studio``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.studio.embedded import EmbeddedStudio
from tests.integration.command import HARM, ROUND, Site, new_site, rows

GOOD = b'{"external_id": "a", "text": "x"}\n'

FILES: dict[str, tuple[bytes, list[str]]] = {
    "unknown.jsonl": (GOOD + b'{"external_id": "b", "text": "y", "txet": "z"}\n', ["row 2", "'txet'", "did you mean"]),
    "unknown.csv": (b"external_id,text,verdict\na,x,1\n", ["row 2", "'verdict': unknown column", "drop or map"]),
    "missing.jsonl": (GOOD + b'{"external_id": "b"}\n', ["row 2: text: is missing"]),
    "missing.csv": (b"external_id,text\na,x\nb,\n", ["row 3: text: is missing"]),
    "blank.jsonl": (GOOD + b'{"external_id": "b", "text": "  "}\n', ["row 2: text: is empty; drop the row"]),
    "twice.jsonl": (
        GOOD + b'{"external_id": "a", "text": "y"}\n',
        ["row 2: external_id: 'a' is in row 1", "another id"],
    ),
    "changed.jsonl": (GOOD + b'{"external_id": "post-0", "text": "y"}\n', ["row 2", "'post-0' is there already"]),
    "long.jsonl": (GOOD + b'{"external_id": "b", "text": "%s"}\n' % (b"y" * 201), ["row 2: text: is 201", "= 200"]),
    "nul.jsonl": (GOOD + b'{"external_id": "b", "text": "y\\u0000"}\n', ["row 2: text: holds a NUL byte; remove it"]),
    "raw-nul.jsonl": (GOOD + b'{"external_id": "b", "text": "y\x00"}\n', ["row 2: holds a NUL byte; remove it"]),
    "nul.csv": (b"external_id,text\na,x\nb,y\x00\n", ["row 3: text: holds a NUL byte; remove it"]),
    "latin1.jsonl": (
        GOOD + b'{"external_id": "b", "text": "caf\xe9"}\n',
        ["row 2", "not valid UTF-8 at byte 67", "save"],
    ),
    "latin1.csv": (b"external_id,text\na,x\nb,caf\xe9\n", ["row 3", "not valid UTF-8 at byte 26"]),
    "policy.jsonl": (b'{"external_id": "a", "text": "x", "policies": ["hate_spech"]}\n', ["row 1: policies", HARM]),
    "empty.jsonl": (b"", ["holds no rows"]),
}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An installation that no bad file changes."""
    site = new_site(tmp_path_factory.mktemp("content"), MAX_TEXT_CHARS="200")
    assert site.result("ingest", site.write("good.jsonl", *rows(5)))["added"] == 5
    return site


@pytest.mark.parametrize("name", FILES)
def test_a_bad_row_refuses_its_file_and_changes_nothing(stocked: Site, name: str) -> None:
    content, words = FILES[name]
    before = stocked.kept()
    error = stocked.run("ingest", stocked.put(name, content)).error
    assert f"/{name}: " in error
    assert [word for word in words if word not in error] == []
    assert stocked.kept() == before


def test_parquet_rows_are_named_too(stocked: Site) -> None:
    before = stocked.kept()
    path = stocked.folder / "bad.parquet"
    texts = pa.array([b"x", b"caf\xe9"], pa.binary()).cast(pa.string(), safe=False)
    table = pa.table({"external_id": ["a", "b"], "text": pa.Array.from_buffers(pa.string(), 2, texts.buffers())})
    pq.write_table(table, path)
    assert "row 2" in stocked.run("ingest", str(path)).error
    pq.write_table(pa.table({"external_id": ["a"], "text": ["x\x00"]}), path)
    assert "row 1: text: holds a NUL byte" in stocked.run("ingest", str(path)).error
    assert stocked.kept() == before


def test_every_bad_row_is_told_and_the_mended_file_goes_in(tmp_path: Path) -> None:
    site = new_site(tmp_path)
    bad = site.write("posts.jsonl", {"external_id": "a"}, *rows(2), {"external_id": "", "text": "x", "lang": "en"})
    said = site.run("ingest", bad, "--json")
    assert said.error
    problems = json.loads(said.out)["problems"]
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["row 1", "text"],
        ["row 4", "'lang'"],
        ["row 4", "external_id"],
    ]
    assert [line.strip() for line in said.err.splitlines() if line.startswith("  ")] == problems
    assert (site.kept()["items"], site.kept()["lake"]) == ([], {})
    assert site.result("ingest", site.write("posts.jsonl", *rows(3)))["added"] == 3


TYPOS: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "key": (lambda text: text.replace("threshold:", "treshold:"), ["treshold: unknown key; did you mean 'threshold'"]),
    "rule's key": (lambda text: text.replace("    definition:", "    defintion:", 1), ["rules.0.defintion", "did you"]),
    "value": (lambda text: text.replace("severity: ", "severity: S", 1), ["severity: Input should be a valid integer"]),
    "yaml": (lambda text: text + "\n  : [", ["cannot be read as YAML: line "]),
    "key twice": (lambda text: text + "\nid: other\n", ["line 1: id is there twice"]),
    "bytes": (lambda text: text + "\udce9", ["cannot be read as YAML", "utf-8"]),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_a_policy_with_a_typo_stops_every_command_before_it_writes(stocked: Site, typo: str) -> None:
    change, words = TYPOS[typo]
    path = stocked.policies / f"{HARM}.yaml"
    before, good = stocked.kept(), path.read_bytes()
    path.write_bytes(change(good.decode()).encode(errors="surrogateescape"))
    try:
        more = stocked.write("more.jsonl", *rows(9))
        for command in (("ingest", more), ROUND, ("sync",), ("score",)):
            error = stocked.run(*command).error
            assert [word for word in (str(path), *words) if word not in error] == []
    finally:
        path.write_bytes(good)
    assert stocked.kept() == before


LABELS: dict[str, tuple[dict[str, str], list[str]]] = {
    "hate: hate_spech": (
        {"hate": "hate_spech"},
        ["labels.hate", "'hate_spech' is no policy", f"did you mean {HARM!r}"],
    ),
    "no label for a policy": ({"blood": "violence"}, [f"policies: {HARM}: the scorer", "ask only for violence"]),
}


@pytest.mark.parametrize("case", LABELS)
def test_a_scorer_file_that_does_not_fit_the_policies_stops_a_round_before_its_plan(tmp_path: Path, case: str) -> None:
    labels, words = LABELS[case]
    site = new_site(tmp_path)
    (site.policies / "violence.yaml").write_text((site.policies / f"{HARM}.yaml").read_text().replace(HARM, "violence"))
    site.result("ingest", site.write("posts.jsonl", *rows(5)))
    (tmp_path / "model").mkdir()
    scorer: dict[str, Any] = {"kind": "hf-text", "model": "model", "labels": labels}
    site.environment["GOLDFOLD_SCORER"] = site.put("scorer.yaml", json.dumps(scorer).encode())
    before = site.kept()
    error = site.run(*ROUND).error
    assert [word for word in ("scorer.yaml", *words) if word not in error] == []
    assert site.kept() == before


def test_a_budget_beyond_the_frame_records_nothing_and_the_id_stays_free(
    tmp_path: Path, studio_server: EmbeddedStudio
) -> None:
    site = new_site(
        tmp_path,
        STUDIO_URL=studio_server.base_url,
        STUDIO_TOKEN=studio_server.account.token,
        STUDIO_OWNER="bad-budget",
    )
    assert "the lake is empty: ingest items first" in site.run("round", "--id", "r-1").error
    site.result("ingest", site.write("posts.jsonl", *rows(20)))
    before = site.kept()
    error = site.run("round", "--id", "r-1", "--budget", "1000").error
    assert "the budget asks for 1000 picks, but the frame holds 20" in error
    assert "ask for at most 20, or ingest more items" in error
    assert site.kept() == before
    assert site.result("round", "--id", "r-1", "--budget", "8")["picks"] == 8
    assert "the frame holds 12" in site.run("round", "--id", "r-2", "--budget", "13").error
    assert site.result("round", "--id", "r-2", "--budget", "12")["picks"] == 12
    assert "ingest more items" in site.run("round", "--id", "r-3", "--budget", "1").error
    assert [task.state for task in site.tasks()] == ["sent"] * 20


def test_near_duplicates_that_shrink_the_frame_fail_the_round_for_good(tmp_path: Path) -> None:
    site = new_site(tmp_path)
    copies = [{"external_id": f"copy-{n}", "text": "the very same words"} for n in range(10)]
    site.result("ingest", site.write("posts.jsonl", *copies))
    error = site.run("round", "--id", "r-1", "--budget", "8").error
    assert "the frame holds 1 " in error
    assert "--id" not in error  # it would fail again
    assert (site.picks(), site.tasks()) == ([], [])
    (one,) = site.result("rounds")
    assert (one["round"]["state"], "the frame holds 1 " in one["round"]["notes"][0]) == ("failed", True)
