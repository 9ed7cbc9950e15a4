from __future__ import annotations

from tests.api.cli.conftest import Terminal


def test_nobody_has_decided_anything_yet(goldfold: Terminal) -> None:
    told = goldfold("leads").out
    assert "Leads who decided twice: none" in told
    assert "0 second looks wait for a lead" in told
    said = goldfold("leads", "--json").json
    assert (said["agreed"]["n"], said["agreed"]["verdict"], said["open"]) == (0, "insufficient", 0)
