"""The commands on policies, from an edited file to a bridge's figures."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest
import yaml

from configs.settings import Settings
from labeling.policies import read_policy
from labeling.records import GoldState, Partition
from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, gild, score_all, select, stock


@pytest.fixture
def edit(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a policy that the installation reads."""
    folder = goldfold.folder.parent / "policies"
    copytree(Settings().policies_dir, folder)
    monkeypatch.setenv("GOLDFOLD_POLICIES_DIR", str(folder))
    return folder / f"{HARM}.yaml"


def change(path: Path, **keys: object) -> None:
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys, sort_keys=False))


def test_from_a_file_to_stale_gold_and_a_bridge(
    goldfold: Terminal, edit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDFOLD_PARTITIONS", '{"train": 0.6, "dev": 0.4}')
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
        select(site, budget=30)
        gild(site)
    change(edit, version="1.1.0", definition="a tighter text")
    assert f"{HARM}" in goldfold("policy", "list").out
    rows = {row["policy"]: row for row in goldfold("policy", "list", "--json").json}
    assert (rows[HARM]["version"], rows[HARM]["draft"], rows["violence"]["draft"]) == ("1.0.0", True, False)
    shown = goldfold("policy", "diff", HARM, str(edit), "--json").json
    assert (shown["keys"], shown["rules"]["added"]) == (["version", "definition"], [])
    assert "+version: 1.1.0" in goldfold("policy", "diff", HARM, str(edit)).out

    asked = ["policy", "publish", HARM, "--kind", "tighten", "--reason", "the law changed"]
    planned = goldfold(*asked, "--dry-run", "--json").json
    assert planned["stale"] == sum(row["items"] for row in planned["touched"])
    assert {(row["language"], row["state"]) for row in planned["touched"]} == {("en", "stale")}
    assert "Would be touched (nothing was written)" in goldfold(*asked, "--dry-run").out
    assert planned["asked"]["labels"] == planned["stale"]
    assert planned["difference"]["keys"] == ["version", "definition"]
    assert [row["state"] for row in goldfold("golden", "status", "--json").json if row["state"] == "stale"] == []

    done = goldfold(*asked, "--budget", "5", "--bridge", "6", "--json")
    assert done.code == 0, done.err
    made = done.json["published"]
    stale = made["moved"]["stale"]
    with goldfold.opened() as site:
        gold = site.ledger.golden.items()
    sealed = [item for item in gold if item.partition is Partition.SEALED]
    hidden = sum(item.state is GoldState.STALE for item in sealed)
    assert (stale - hidden, planned["sealed_at_most"]) == (planned["stale"], len(sealed))
    assert (made["relabel"]["state"], made["bridge"]["sample"], done.json["proposal"]) == ("open", 6, None)
    assert sum(r["items"] for r in goldfold("golden", "status", "--json").json if r["state"] == "stale") == stale
    left_out = f"{HARM}: {stale} of 30 labels"
    for command in (("golden", "status"), ("golden", "publish"), ("golden", "list")):
        assert left_out in goldfold(*command).out, command
    assert "Note: 5 of" in "".join(f"Note: {note}" for note in made["relabel"]["notes"])
    waiting = goldfold("policy", "stale", HARM, "--json").json
    assert len(waiting["rows"]) + waiting["sealed"] == waiting["unasked"] <= stale - 5  # the bridge asks some too
    assert f"{waiting['unasked']} wait to be asked again" in goldfold("policy", "stale", HARM).out
    far = goldfold("policy", "progress", HARM, "--json").json
    assert (far["stale"], far["asked"] + far["waiting"], far["waiting"]) == (stale, stale, waiting["unasked"])
    assert f"{stale} labels are stale: {far['asked']} are being asked" in goldfold("policy", "progress", HARM).out
    assert goldfold("policy", "relabel", HARM, "--id", "next").out.startswith("Round next is open")
    assert goldfold("policy", "bridge", HARM, "--json").json["figures"]["flips"]["value"] is None
    assert "insufficient" in goldfold("policy", "bridge", HARM).out
    assert "is there already" in goldfold("policy", "bridge", HARM, "--open").err
    assert goldfold("policy", "show", HARM, "--version", "1.0.0").out.startswith(f"id: {HARM}")
    back = goldfold.file("back.yaml", goldfold("policy", "show", HARM).out)
    assert read_policy(Path(back)) == read_policy(edit)


def test_each_command_refuses_an_edited_version(goldfold: Terminal, edit: Path) -> None:
    assert goldfold("rounds").code == 0
    change(edit, definition="another text")
    for command in (("rounds",), ("golden", "status"), ("policy", "list"), ("ingest", goldfold.file("a.txt", "words"))):
        said = goldfold(*command)
        assert (said.code, "versions are never edited in place" in said.err) == (1, True), command
        assert "raise the version in the file" in said.err


def test_what_cannot_be_published_is_said(goldfold: Terminal, edit: Path) -> None:
    assert goldfold("rounds").code == 0
    for arguments, says in (
        ((HARM, "--kind", "tighten"), "does not rise above 1.0.0"),
        ((HARM, "--kind", "change"), "kind: change is not one of"),
        (("nobody", "--kind", "tighten"), "'nobody' has no file"),
        (("nobody", "--kind", "retire"), "'nobody' is not published"),
        ((str(edit.with_name("none.yaml")), "--kind", "tighten"), "none.yaml"),
    ):
        said = goldfold("policy", "publish", *arguments, "--reason", "x")
        assert (said.code, says in said.err) == (1, True), said.err
    assert "has no version 9.0.0" in goldfold("policy", "show", HARM, "--version", "9.0.0").err
    assert "no stale label" in goldfold("policy", "relabel", HARM).err
    assert "no bridge yet" in goldfold("policy", "bridge", HARM).err


def test_a_policy_may_be_published_before_anything_else_sees_it(goldfold: Terminal, edit: Path) -> None:
    assert goldfold("rounds").code == 0
    told = yaml.safe_load(edit.read_text()) | {"id": "slander"}
    part = edit.with_name("slander.yaml")
    part.write_text(yaml.safe_dump(told))
    done = goldfold("policy", "publish", "slander", "--kind", "split", "--from", HARM, "--reason", "its own team")
    assert done.out.startswith("slander 1.0.0 is published"), done.err
    row = next(row for row in goldfold("policy", "list", "--json").json if row["policy"] == "slander")
    assert (row["state"], row["versions"][0]["predecessors"]) == ("in force", [HARM])
    assert goldfold("policy", "publish", HARM, "--kind", "retire", "--reason", "split").out.startswith(f"{HARM} 2.0.0")
    assert "retired" in goldfold("policy", "list").out


def test_two_people_publish_where_the_setting_says_so(
    goldfold: Terminal, edit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDFOLD_TWO_PERSON_RELEASE", "true")
    assert goldfold("rounds").code == 0
    change(edit, version="1.1.0")
    asked = ["policy", "publish", HARM, "--kind", "tighten", "--reason", "the law changed"]
    assert "say who you are" in goldfold(*asked).err
    assert f"{HARM} 1.1.0 is proposed" in goldfold(*asked, "--by", "ana@example.org").out
    assert "waits to be decided on already" in goldfold(*asked, "--by", "bo@example.org").err
    assert goldfold("policy", "list", "--json").json[0]["version"] == "1.0.0"
    assert "another lead has to approve" in goldfold("policy", "approve", HARM, "1.1.0", "--by", "Ana@Example.org").err
    (waits,) = goldfold("policy", "proposals", "--json").json
    assert (waits["state"], waits["author"]) == ("proposed", "ana@example.org")
    assert "is rejected" in goldfold("policy", "reject", HARM, "1.1.0", "--by", "ana@example.org").out
    assert goldfold(*asked, "--by", "ana@example.org").code == 0
    said = goldfold("policy", "approve", HARM, "1.1.0", "--by", "bo@example.org").out
    assert said.startswith(f"{HARM} 1.1.0 is published"), said
    assert "published already" in goldfold("policy", "approve", HARM, "1.1.0", "--by", "bo@example.org").err
    assert "1.1.0" in goldfold("policy", "proposals", HARM).out
