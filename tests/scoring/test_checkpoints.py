from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scoring.checkpoints import (
    FILES,
    SEAL,
    Checkpoints,
    Snapshot,
    optimizer_state,
    optimizer_state_of,
    put_random_state,
    put_weights,
    random_state,
    trained_weights,
)
from scoring.errors import ModelNotSaved, ModelRefused


def snapshot(value: float = 1.0) -> Snapshot:
    tensors, plain = random_state()
    return Snapshot(
        {"w": torch.full((2,), value)}, {"0.step": torch.tensor(3.0)}, tensors, {"random": plain}, '{"a": 1}'
    )


def test_a_checkpoint_comes_back_as_it_was_and_holds_no_pickle(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "c", "run")
    assert kept.steps() == []
    kept.save(5, snapshot())
    kept.save(12, snapshot(2.0))
    assert kept.steps() == [5, 12]
    found = kept.load(12)
    torch.testing.assert_close(found.weights["w"], torch.full((2,), 2.0))
    assert found.history == '{"a": 1}'
    assert {path.name for path in kept.path(5).iterdir()} == {*FILES, SEAL}
    kept.save(5, snapshot(9.0))  # it is there already
    torch.testing.assert_close(kept.load(5).weights["w"], torch.full((2,), 1.0))


def test_another_runs_checkpoint_is_not_gone_on_from_and_is_replaced(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "old").save(5, snapshot())
    ours = Checkpoints(tmp_path, "new")
    assert ours.steps() == []
    ours.save(5, snapshot(2.0))
    assert ours.steps() == [5]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_changed_is_named(tmp_path: Path, name: str) -> None:
    kept = Checkpoints(tmp_path, "run")
    kept.save(1, snapshot())
    with (kept.path(1) / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelRefused, match=name):
        kept.load(1)


def test_a_kill_while_writing_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    kept = Checkpoints(tmp_path, "run")
    with monkeypatch.context() as patch:
        patch.setattr("scoring.checkpoints.os.rename", die)
        with pytest.raises(Killed):
            kept.save(1, snapshot())
    assert kept.steps() == []
    (tmp_path / ".draft-x").mkdir()  # what a real kill leaves
    (tmp_path / "checkpoint-7").mkdir()  # without its seal
    assert kept.steps() == []
    kept.save(7, snapshot())
    kept.keep({7})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-7"]


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotSaved, match="checkpoint-1"):
        Checkpoints(tmp_path / "file" / "c", "run").save(1, snapshot())


def test_an_optimizer_goes_on_as_if_nothing_had_been() -> None:
    def step(model: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()

    def made() -> tuple[torch.nn.Linear, torch.optim.AdamW]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    model, optimizer = made()
    step(model, optimizer)
    tensors, plain = optimizer_state(optimizer.state_dict())
    tensors = {name: value.clone() for name, value in tensors.items()}  # as when they are written at once
    weights, groups = trained_weights(model), json.loads(json.dumps(plain))
    step(model, optimizer)
    other, fresh = made()
    put_weights(other, weights)
    fresh.load_state_dict(optimizer_state_of(tensors, groups))
    step(other, fresh)
    assert torch.equal(other.weight, model.weight)
    with pytest.raises(ModelRefused, match="another model"):
        put_weights(torch.nn.Linear(2, 2), weights)


def test_random_numbers_go_on_where_they_were() -> None:
    def draw() -> list[Any]:
        return [random.random(), float(np.random.normal()), float(torch.rand(1))]

    tensors, plain = random_state()
    first = draw()
    put_random_state(tensors, json.loads(json.dumps(plain)))
    assert draw() == first
