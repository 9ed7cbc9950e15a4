"""A version between two people, also when a process dies between the second one's word and the publication."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import policy_proposals
from api.policy_changes import Follow, publish
from api.policy_proposals import approve, reject, release
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.policies import Policy
from labeling.policy_proposals import ProposalState
from labeling.policy_publish import Change
from labeling.policy_versions import ChangeKind
from tests.api.site import HARM, WordGoldfold, settings

CHANGE = Change((ChangeKind.CLARIFY,), "an example more", "ana")
NOTHING = Follow(0, 0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WordGoldfold]:
    goldfold = WordGoldfold(settings(tmp_path, two_person_release=True))
    yield goldfold
    goldfold.close()


def version(site: WordGoldfold, name: str) -> Policy:
    return site.policies[HARM].model_copy(update={"version": name})


def test_a_process_that_dies_in_between_loses_nothing(site: WordGoldfold, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: Any) -> None:
        raise Killed

    made = release(site, version(site, "1.0.1"), CHANGE, NOTHING)
    assert (made.published, made.proposal is not None) == (None, True)
    with monkeypatch.context() as patch:
        patch.setattr(policy_proposals, "publish", dies)
        with pytest.raises(Killed):
            approve(site, HARM, "1.0.1", "bo", "read it")
    assert site.policies[HARM].version == "1.0.0"
    done = approve(site, HARM, "1.0.1", "cy", "")
    assert done.published is not None
    assert done.proposal is not None
    assert (done.published.version, done.proposal.decided_by) == ("1.0.1", "bo")
    assert site.shelf.look().histories[HARM][-1].actor == "ana"
    with pytest.raises(Conflict, match="published already"):
        approve(site, HARM, "1.0.1", "bo", "")


def test_what_cannot_be_published_is_neither_proposed_nor_approved(site: WordGoldfold) -> None:
    with pytest.raises(InvalidInput, match="does not rise"):
        release(site, version(site, "1.0.0"), CHANGE, NOTHING)
    release(site, version(site, "1.0.1"), CHANGE, NOTHING)
    publish(site, version(site, "1.0.2"), CHANGE, NOTHING)  # by a process without the setting
    with pytest.raises(InvalidInput, match="does not rise"):
        approve(site, HARM, "1.0.1", "bo", "")
    assert [one.state for one in site.ledger.proposals.all()] == [ProposalState.PROPOSED]
    reject(site, HARM, "1.0.1", "ana", "too late")
    with pytest.raises(Conflict, match="rejected already"):
        approve(site, HARM, "1.0.1", "bo", "")
    with pytest.raises(NotFound, match="was never proposed"):
        reject(site, HARM, "7.0.0", "bo", "")
