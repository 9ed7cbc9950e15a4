"""The policies that a process works by, from their files and what is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.policies import FIRST_USE, PolicyShelf
from labeling.errors import NotFound, PolicyError
from labeling.policy_versions import ChangeKind, version_of
from labeling.store.ledger import SqlLedger, open_ledger
from tests.labeling.golden.made import NOW
from tests.labeling.test_policy_versions import policy


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "policies"
    made.mkdir()
    for name in ("harm", "spam"):
        told = policy(id=name, threshold=0.3).model_dump(mode="json")
        (made / f"{name}.yaml").write_text(yaml.safe_dump(told))
    return made


def retire(ledger: SqlLedger, policy_id: str) -> None:
    history = [version for version in ledger.policies.all() if version.policy_id == policy_id]
    text = policy("2.0.0", id=policy_id)
    ledger.policies.publish([version_of(text, [ChangeKind.RETIRE], history, reason="x", actor="ann", at=NOW)])


def test_policies_register_themselves_once(ledger: SqlLedger, folder: Path) -> None:
    assert PolicyShelf(ledger.policies, folder, register=False).shelf.now == {}
    assert set(PolicyShelf(ledger.policies, folder).shelf.now) == {"harm", "spam"}
    PolicyShelf(ledger.policies, folder)
    kept = ledger.policies.all()
    assert [(one.policy_id, one.kinds, one.actor) for one in kept] == [
        (name, (ChangeKind.NEW,), FIRST_USE) for name in ("harm", "spam")
    ]


def test_nothing_is_registered_beside_an_edited_file(ledger: SqlLedger, folder: Path) -> None:
    (folder / "spam.yaml").rename(folder / "later")
    PolicyShelf(ledger.policies, folder)
    (folder / "later").rename(folder / "spam.yaml")
    (folder / "harm.yaml").write_text((folder / "harm.yaml").read_text().replace("what harms", "else"))
    with pytest.raises(PolicyError, match=r"harm 1\.0\.0 is published with another text"):
        PolicyShelf(ledger.policies, folder)
    assert len(ledger.policies.all()) == 1


def test_what_is_retired_is_known_and_not_in_force(ledger: SqlLedger, folder: Path) -> None:
    shelf = PolicyShelf(ledger.policies, folder)
    retire(ledger, "harm")
    assert "harm" in shelf.kept.now  # nobody was asked
    assert set(shelf.look().now) == {"spam"}
    assert shelf.kept.known["harm"].version == "2.0.0"
    assert shelf.policy("harm", "1.0.0").threshold == 0.3
    retire(ledger, "spam")
    assert shelf.look().now == {}
    with pytest.raises(PolicyError, match="every policy of it is retired"):
        PolicyShelf(ledger.policies, folder)
    assert PolicyShelf(ledger.policies, folder, register=False).shelf.now == {}  # so that one can be published anew
    with pytest.raises(NotFound, match=r"'harm' has no version 9\.0\.0"):
        shelf.policy("harm", "9.0.0")


def test_a_policy_without_a_file_is_not_asked_about(ledger: SqlLedger, folder: Path) -> None:
    PolicyShelf(ledger.policies, folder)
    (folder / "spam.yaml").unlink()
    shelf = PolicyShelf(ledger.policies, folder)
    assert set(shelf.shelf.now) == {"harm"}
    assert shelf.policy("spam", "1.0.0").id == "spam"  # its labels can still be read
