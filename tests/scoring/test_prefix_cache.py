from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaModel

from scoring.errors import ModelRefused
from scoring.prefix_cache import Ids, Layers, PrefixCache, bytes_of, extend, shift_right


def layers_of(ids: Ids) -> Layers:
    """One layer, 8 bytes a token."""
    states = torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1)
    return ((states, -states),)


@pytest.fixture(scope="module")
def decoder() -> LlamaModel:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    model = LlamaModel(LlamaConfig(vocab_size=50, **sizes))
    network: torch.nn.Module = model
    network.eval()
    return model


def read(model: torch.nn.Module, past: Layers, ids: torch.Tensor) -> tuple[torch.Tensor, Layers]:
    """Rows without padding."""
    done = past[0][0].shape[2] if past else 0
    positions = torch.arange(done, done + ids.shape[1]).expand(len(ids), -1)
    mask = torch.ones((len(ids), done + ids.shape[1]), dtype=torch.int64)
    with torch.inference_mode():
        return extend(model, past, ids, positions, mask)


def test_a_prefix_is_computed_once() -> None:
    cache = PrefixCache(layers_of, 1000)
    first = cache.get((1, 2, 3))
    assert cache.get((1, 2, 3)) is first
    assert cache.computed == 1
    assert cache.used_bytes == bytes_of(first) == 24


def test_the_first_are_kept_and_the_others_computed_each_time() -> None:
    cache = PrefixCache(layers_of, 48)
    for _ in range(3):
        for ids in ((1, 2, 3), (4, 5, 6), (7, 8, 9)):
            assert cache.get(ids)[0][0].flatten().tolist() == list(ids)
    assert len(cache) == 2
    assert cache.computed == 2 + 3


def test_a_small_prefix_still_finds_room_beside_one_that_did_not() -> None:
    cache = PrefixCache(layers_of, 16)
    kept = cache.get((1,))
    assert cache.get((1, 2, 3))[0][0].flatten().tolist() == [1, 2, 3]
    cache.get((4,))
    assert len(cache) == 2
    assert cache.get((1,)) is kept


def test_a_bound_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        PrefixCache(layers_of, -1)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6).map(tuple)), st.integers(0, 120))
def test_memory_stays_within_the_bound_and_answers_are_right(asked: list[Ids], limit: int) -> None:
    cache = PrefixCache(layers_of, limit)
    for ids in asked:
        assert cache.get(ids)[0][0].flatten().tolist() == list(ids)
        assert cache.used_bytes <= limit
    assert cache.computed <= len(asked)


def test_reading_on_is_reading_the_whole(decoder: LlamaModel) -> None:
    ids = torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(1))
    ids[:, :5] = ids[0, :5]
    _, past = read(decoder, (), ids[:1, :5])
    states, layers = read(decoder, past, ids[:, 5:])
    whole, all_layers = read(decoder, (), ids)
    torch.testing.assert_close(states, whole[:, 5:], atol=1e-5, rtol=0)
    torch.testing.assert_close(layers[1][0], all_layers[1][0], atol=1e-5, rtol=0)
    assert past[0][0].shape == (1, 2, 5, 8)  # left as it was


def test_padding_in_front_changes_nothing(decoder: LlamaModel) -> None:
    rows = [[3, 1, 4, 1, 5, 9], [2, 7, 1], [8, 2, 8, 1]]
    pads = torch.tensor([6 - len(row) for row in rows])
    ids = torch.tensor([row + [0] * (6 - len(row)) for row in rows])
    _, layers = read(decoder, (), ids)
    shifted = shift_right(layers, pads)
    more = torch.tensor([[11, 12, 13]] * 3)
    positions = torch.arange(6, 9)[None, :] - pads[:, None]
    mask = (torch.arange(9)[None, :] >= pads[:, None]).long()
    with torch.inference_mode():
        states, _ = extend(decoder, shifted, more, positions, mask)
    for i, row in enumerate(rows):
        alone, _ = read(decoder, (), torch.tensor([[*row, 11, 12, 13]]))
        torch.testing.assert_close(states[i], alone[0, -3:], atol=1e-5, rtol=0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_a_shift_moves_each_row_by_its_own_padding(pads: list[int]) -> None:
    keys = torch.arange(len(pads) * 5, dtype=torch.float32).reshape(len(pads), 1, 5, 1)
    [(moved, values)] = shift_right(((keys, -keys),), torch.tensor(pads))
    for i, pad in enumerate(pads):
        assert moved[i].flatten().tolist() == torch.roll(keys[i].flatten(), pad).tolist()
    torch.testing.assert_close(values, -moved)


def test_a_model_that_keeps_nothing_is_refused() -> None:
    class Forgetful(torch.nn.Module):
        def forward(self, **inputs: object) -> object:
            return object()

    with pytest.raises(ModelRefused, match="Forgetful keeps no plain keys"):
        read(Forgetful(), (), torch.tensor([[1, 2]]))
