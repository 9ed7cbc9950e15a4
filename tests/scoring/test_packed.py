from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from scoring import packed
from scoring.packed import Layout, laid_out, layout_in_force, packed_attention, position_ids

CPU = torch.device("cpu")
HEADS, SIZE = 2, 4


class Module(torch.nn.Module):
    def __init__(self, is_causal: bool = False) -> None:
        super().__init__()
        self.is_causal = is_causal


def states(tokens: int, heads: int = HEADS) -> torch.Tensor:
    return torch.randn(1, heads, tokens, SIZE, generator=torch.Generator().manual_seed(tokens + heads))


def alone(tensors: list[torch.Tensor], start: int, stop: int, causal: bool, reach: int | None) -> torch.Tensor:
    """The definition: one sequence, a full mask."""
    places = torch.arange(stop - start)
    ahead = places[None, :] - places[:, None]
    seen = torch.ones_like(ahead, dtype=torch.bool) if reach is None else ahead.abs() < reach
    if causal:
        seen = seen & (ahead <= 0)
    query, key, value = (tensor[:, :, start:stop] for tensor in tensors)
    found = scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=0.5, enable_gqa=True)
    return found.transpose(1, 2)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=12), st.booleans(), st.sampled_from([None, 1, 3]), st.booleans()
)
def test_each_sequence_attends_to_itself_only(lengths: list[int], causal: bool, reach: int | None, fewer: bool) -> None:
    total = sum(lengths)
    query, key = states(total), states(total, 1 if fewer else HEADS)
    layout = Layout(tuple(lengths), CPU)
    with laid_out(layout):
        found, weights = packed_attention(Module(causal), query, key, key, None, scaling=0.5, sliding_window=reach)
    assert weights is None
    assert found.shape == (1, total, HEADS, SIZE)
    for start, stop in zip(layout.starts, layout.starts[1:], strict=False):
        torch.testing.assert_close(
            found[:, start:stop], alone([query, key, key], start, stop, causal, reach), rtol=0, atol=1e-6
        )


def test_without_a_layout_it_is_the_usual_attention() -> None:
    query = states(5)
    found, _none = packed_attention(Module(), query, query, query, None, scaling=0.5)
    torch.testing.assert_close(found, scaled_dot_product_attention(query, query, query, scale=0.5).transpose(1, 2))


@pytest.mark.parametrize("extra", [{"position_bias": torch.zeros(1)}, {"softcap": 30.0}, {"dropout": 0.1}])
def test_what_it_does_not_do_is_refused(extra: dict[str, Any]) -> None:
    query = states(2)
    with laid_out(Layout((1, 1), CPU)), pytest.raises(RuntimeError, match="cannot be packed"):
        packed_attention(Module(), query, query, query, None, **extra)


def test_a_layout_is_in_force_inside_only_also_after_an_error() -> None:
    layout = Layout((1,), CPU)

    def fail() -> None:
        with laid_out(layout):
            assert layout_in_force() is layout
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert layout_in_force() is None


def test_runs_are_neighbours_of_one_length() -> None:
    layout = Layout((4, 4, 2, 4), CPU)
    assert layout.runs == ((0, 2, 4), (8, 1, 2), (10, 1, 4))
    assert layout.bounds.tolist() == [0, 4, 8, 10, 14]
    assert layout.bounds.dtype is torch.int32


def test_positions_begin_anew_in_each_sequence() -> None:
    assert position_ids((3, 1, 2), 2).tolist() == [[2, 3, 4, 2, 2, 3]]


@pytest.mark.parametrize(
    ("causal", "reach", "heads", "scaling", "asked"),
    [
        (False, None, HEADS, None, {}),
        (False, None, HEADS, SIZE**-0.5, {}),
        (True, None, HEADS, 0.3, {"scale": 0.3, "window_size": (-1, 0)}),
        (False, 5, 1, None, {"window_size": (4, 4), "enable_gqa": True}),
        (True, 5, HEADS, None, {"window_size": (4, 0)}),
    ],
)
def test_what_a_gpu_is_asked(
    monkeypatch: pytest.MonkeyPatch, causal: bool, reach: int | None, heads: int, scaling: float, asked: dict[str, Any]
) -> None:
    """The kernel itself runs on a GPU only; here it is what it is given that is looked at."""
    heard: list[Any] = []

    def kernel(query: torch.Tensor, *rest: Any, **settings: Any) -> torch.Tensor:
        heard.append((query, rest, settings))
        return query

    monkeypatch.setattr(packed, "varlen_attn", kernel)
    query, key = states(6), states(6, heads)
    tokens = [tensor.squeeze(0).transpose(0, 1) for tensor in (query, key, key)]
    packed._on_cuda(tokens, Layout((4, 2), CPU), packed._Shape(scaling, causal, reach))
    given, (keys, _values, starts, stops, longest, widest), settings = heard[0]
    assert settings == asked
    assert (given.shape, keys.shape) == ((6, HEADS, SIZE), (6, heads, SIZE))
    assert given.is_contiguous()
    assert starts.tolist() == stops.tolist() == [0, 4, 6]
    assert longest == widest == 4
