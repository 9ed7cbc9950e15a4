"""What a bulk run is put together from; the engines themselves are tested in test_cluster.py."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api import bulk, lazy_scorers
from api.bulk import TELEMETRY_OFF, Recipe, allow_plain_http, foreman, load_cluster, make_plan, make_recipe
from api.errors import NotReady
from labeling.errors import IntegrityError, InvalidInput
from labeling.model_records import Model, ModelState
from labeling.scorebook import LakeScorer
from labeling.training import CALIBRATION, calibration_folder
from scoring.calibration import CalibrationMap, Calibrator
from scoring.finetuned import Finetuned, seal
from tests.api.cli.conftest import WordModels
from tests.api.online.test_served import promote
from tests.api.rooms import ROOT, sources
from tests.api.site import WordGoldfold, settings, stock


@pytest.fixture
def goldfold(tmp_path: Path) -> Iterator[WordGoldfold]:
    opened = WordGoldfold(settings(tmp_path / "data", studio_token="a-secret", ledger_url=f"sqlite:///{tmp_path}/l.db"))
    yield opened
    opened.close()


def test_a_worker_makes_the_same_scorer_from_the_recipe(
    goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_scorers, "models", WordModels)
    stock(goldfold, 1)
    recipe = make_plan(goldfold, goldfold.settings, None, None, {}).recipe
    made, ours = Recipe.from_json(recipe.as_json()).build(), goldfold.scorer()
    assert made.version == ours.version
    texts = ["vermin and flowers", "words"]
    theirs = made.score(["a", "b"], texts).probabilities
    assert theirs.tobytes() == ours.score(["a", "b"], texts).probabilities.tobytes()


def test_a_calibrated_champion_travels_with_its_calibration(
    goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_scorers, "models", WordModels)
    stock(goldfold, 1)
    promote(goldfold)
    model = goldfold.ledger.models.get("one")
    knots = np.array([[-1.0, 0.1], [2 / 3, 1 / 3], [1.0, 0.9]])
    maps = (CalibrationMap("platt", 1 / 3, -0.1), CalibrationMap("isotonic", knots=knots))
    calibrator = Calibrator(goldfold.prototypes.policies[:2], maps, model.version)
    calibrator.save(calibration_folder(model, calibrator.version))
    goldfold.ledger.models.set_metrics("one", {CALIBRATION: {"version": calibrator.version}})
    plan, ours = make_plan(goldfold, goldfold.settings, None, None, {}), goldfold.scorer()
    made = Recipe.from_json(plan.recipe.as_json()).build()
    assert plan.order.scorer_version == made.version == ours.version
    theirs = made.score(["a", "b"], ["vermin and flowers", "words"]).probabilities
    assert theirs.tobytes() == ours.score(["a", "b"], ["vermin and flowers", "words"]).probabilities.tobytes()


def test_a_fine_tuned_champion_travels_by_its_folder(
    goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built: list[tuple[str, str]] = []

    class Models(WordModels):
        def build_finetuned(self, _settings: object, model: Finetuned, beside: LakeScorer) -> LakeScorer:
            built.append((str(model.folder), model.version))
            return beside

    monkeypatch.setattr(lazy_scorers, "models", Models)
    stock(goldfold, 1)
    folder = goldfold.models_dir / "f1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    version = seal(folder, ("hate_speech",), goldfold.encoder.version, 64)
    goldfold.ledger.models.add(Model("f1", version, "1.0.0", str(folder), ModelState.CANDIDATE))
    goldfold.ledger.models.promote("f1", "lea", over=None)
    recipe = make_plan(goldfold, goldfold.settings, None, None, {}).recipe
    Recipe.from_json(recipe.as_json()).build()
    assert built == [(str(folder), version), (str(folder.resolve()), version)]
    (folder / "config.json").write_text("[]")
    with pytest.raises(IntegrityError, match="f1"):
        make_plan(goldfold, goldfold.settings, None, None, {})


def test_no_secret_travels_and_paths_are_absolute(goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(goldfold.settings.data_dir.parent)
    relative = goldfold.settings.model_copy(update={"data_dir": Path("data")})
    recipe = make_recipe(relative, None)
    assert not bulk.NOT_FOR_WORKERS & set(recipe.settings)
    assert "a-secret" not in recipe.as_json()
    assert recipe.settings["data_dir"] == str(goldfold.settings.data_dir.resolve())


def test_the_lake_itself_is_the_source_unless_another_is_given(goldfold: WordGoldfold, tmp_path: Path) -> None:
    stock(goldfold, 4)
    (tmp_path / "posts.csv").write_text("external_id,text\na,words\n")
    plan = make_plan(goldfold, goldfold.settings, None, None, {})
    assert (plan.order.own, plan.order.sink, [shard.rows for shard in plan.shards]) == (True, goldfold.lake.root, [4])
    named = make_plan(goldfold, goldfold.settings, f"{goldfold.lake.root}/items.lance/", None, {})
    assert named.order == plan.order
    other = make_plan(goldfold, goldfold.settings, str(tmp_path / "posts.csv"), str(tmp_path / "sink"), {})
    assert (other.order.own, other.order.sink) == (False, str(tmp_path / "sink"))


def test_items_are_registered_only_where_the_sink_is_the_lake(goldfold: WordGoldfold, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("external_id,text\na,words\n")
    source = str(tmp_path / "posts.csv")
    registers = [
        foreman(goldfold, make_plan(goldfold, goldfold.settings, source, sink, {}))._register is not None
        for sink in (None, str(goldfold.lake.root), str(tmp_path / "sink"))
    ]
    assert registers == [True, True, False]


@pytest.mark.parametrize("missing", ["daft", "ray"])
def test_an_extra_that_is_not_installed_is_named_with_the_cure(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "api.cluster", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NotReady, match=rf"{missing} is not installed; install goldfold\[cluster\]"):
        load_cluster()


def test_telemetry_is_off_unless_somebody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TELEMETRY_OFF:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    monkeypatch.setitem(sys.modules, "api.cluster", bulk)
    load_cluster()
    assert {name: os.environ[name] for name in TELEMETRY_OFF} == {**TELEMETRY_OFF, "DO_NOT_TRACK": "0"}


@pytest.mark.parametrize(
    ("endpoint", "allowed"), [("http://127.0.0.1:9000", "true"), ("https://s3.example.com", None), (None, None)]
)
def test_an_endpoint_without_tls_is_allowed_where_it_is_named(
    endpoint: str | None, allowed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "")  # so that it is put back at the end
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint or "")
    allow_plain_http()
    assert os.environ.get("AWS_ALLOW_HTTP") == allowed


def test_only_one_module_imports_the_engines() -> None:
    importing = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.partition(".")[0] for name in names} & {"daft", "ray"}:
                importing.add(path.relative_to(ROOT).as_posix())
    assert importing == {"api/cluster.py"}


def test_the_command_line_and_the_service_do_without_the_engines() -> None:
    code = (
        "import sys, api.bulk, api.cli.content, api.app, labeling.bulk; "
        "print([m for m in ('daft', 'ray') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_sink_with_a_secret_in_it_is_refused(goldfold: WordGoldfold) -> None:
    with pytest.raises(InvalidInput, match="sink: is a URL with a password in it") as error:
        make_plan(goldfold, goldfold.settings, None, "s3://KEY:hush@bucket/lake", {})
    assert "hush" not in str(error.value)
