from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api import mirroring
from api.checks import check_mirror
from api.mirroring import MirrorWatch
from api.registry_mirror import mirror_behind
from labeling.model_records import Model, ModelState
from tests.api.cli.conftest import Terminal
from tests.api.site import WordGoldfold, running, settings
from tests.contracts.records import T0, golden, version
from tests.mlflow_server import FakeMlflow, serving


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to be")


def stock(site: WordGoldfold) -> None:
    site.ledger.golden.add_version(version(), [golden(1)])
    site.ledger.models.add(Model("m1", "w1", "0.1.0", "models/m1", ModelState.CANDIDATE, {}, T0, family="f"))


def test_the_service_mirrors_what_moved_by_itself_also_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "LONGEST_WAIT_S", 0.2)
    fake = FakeMlflow()
    fake.down_after = 0
    with serving(fake) as url:
        given = settings(tmp_path, mlflow_url=url, mlflow_token="t")
        site = WordGoldfold(given)
        stock(site)
        with running(site) as jobs, capture_logs() as lines:
            watch = MirrorWatch(site, jobs, 0.05)
            watch.start()
            until(lambda: sum(line["event"] == "mirror_failed" for line in lines) >= 3)
            assert site.ledger.models.promote("m1", "lea", over=None).state is ModelState.CHAMPION
            assert check_mirror(given).state == "warning"
            fake.down_after = None
            assert "1 models behind" in check_mirror(given).found
            until(lambda: not mirror_behind(site))
            watch.close()
            assert check_mirror(given).found.endswith("up to date")
            assert len(jobs.all()) <= 3  # the same failure again is no row
        site.close()
    assert [model["aliases"] for model in fake.models.values()] == [{"champion": "1"}]


def test_commands_catch_up_and_say_what_is_behind(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "mlflow_url is not set" in goldfold("models", "mirror").err
    fake = FakeMlflow()
    with serving(fake) as url:
        monkeypatch.setenv("GOLDFOLD_MLFLOW_URL", url)
        with goldfold.opened() as site:
            stock(site)
        assert goldfold("models", "mirror", "--dry-run", "--json").json["behind"] == ["m1"]
        assert fake.calls == []
        fake.down_after = 0
        said = goldfold("models", "mirror")
        assert (said.code, "m1" in said.out, "in trouble" in said.err) == (1, True, True)
        fake.down_after = None
        assert goldfold("models", "mirror", "--json").json["mirrored"] == ["m1"]
        assert goldfold("models", "mirror").out == "Mirrored: nothing\nBehind: nothing\n"
        assert [one["model_id"] for one in goldfold("models", "--json").json] == ["m1"]
