from __future__ import annotations

from pathlib import Path

import numpy as np

from scoring.encoder import SentenceEncoder
from scoring.networks import Plain, WindowedNetwork
from tests.scoring.test_engine import Double


def test_a_plain_network_reads_a_text_in_one_row() -> None:
    plain = Plain(Double())
    assert isinstance(plain, WindowedNetwork)
    assert not isinstance(Double(), WindowedNetwork)
    readings = plain.read(["ab", "c"])
    assert [len(reading.rows) for reading in readings] == [1, 1]
    assert (plain.packed, plain.width(7), plain.devices) == (False, 7, (Double.device,))
    sums, ones = plain.start([reading.rows[0] for reading in readings], 0)()
    np.testing.assert_array_equal(sums[:, 0], [ord("a") + ord("b"), ord("c")])
    assert [array.shape for array in plain.join((sums, ones))] == [(1,), (2,)]


def test_an_encoder_is_a_windowed_network(tiny: dict[str, Path]) -> None:
    assert isinstance(SentenceEncoder(tiny["bert"], device="cpu"), WindowedNetwork)
