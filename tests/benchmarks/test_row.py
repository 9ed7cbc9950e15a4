"""A row says what it was measured on."""

from __future__ import annotations

import platform
from dataclasses import asdict

from benchmarks.row import Row, hardware


def test_a_row_has_the_promised_fields_and_no_others() -> None:
    made = asdict(Row("n", 1.0, "s"))
    assert list(made) == ["name", "value", "unit", "peer", "peer_value", "ratio", "target", "hardware"]


def test_hardware_names_cores_python_and_torch() -> None:
    told = hardware()
    assert " cores, " in told
    assert f"Python {platform.python_version()}" in told
    assert "torch 2." in told
