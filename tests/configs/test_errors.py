from __future__ import annotations

from configs.errors import SettingsError


def test_a_single_problem_is_the_message() -> None:
    assert SettingsError("port: too high").problems == ("port: too high",)


def test_every_problem_is_kept() -> None:
    assert SettingsError("a; b", ("a", "b")).problems == ("a", "b")
