from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from scipy.special import expit, logit

from scoring.calibration import CARD, METHODS, TENSORS, CalibrationMap, Calibrator
from scoring.errors import ModelExists, ModelNotFound, ModelNotSaved, ModelRefused

KNOTS = np.array([[-3.0, 0.02], [-1.0, 0.02], [0.0, 0.4], [2.0, 0.97]])
MAPS = (
    CalibrationMap(),
    CalibrationMap("temperature", slope=0.4),
    CalibrationMap("platt", slope=2.5, offset=-3.0),
    CalibrationMap("isotonic", knots=KNOTS),
)
PROBABILITIES = np.linspace(0, 1, 101, dtype=np.float32)

probabilities = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60)
lines = st.tuples(st.floats(0.02, 50), st.floats(-12, 12))


@st.composite
def maps(draw: st.DrawFn) -> CalibrationMap:
    method = draw(st.sampled_from(METHODS))
    slope, offset = draw(lines)
    if method == "isotonic":
        x = draw(st.lists(st.floats(-20, 20), min_size=1, max_size=12, unique=True))
        y = draw(st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x)))
        return CalibrationMap(method, knots=np.column_stack([sorted(x), sorted(y)]))
    if method == "platt":
        return CalibrationMap(method, slope, offset)
    return CalibrationMap(method, slope) if method == "temperature" else CalibrationMap()


def make() -> Calibrator:
    return Calibrator(("left", "cool", "bent", "stepped"), MAPS, "model-1")


@settings(deadline=None, max_examples=150)
@given(maps(), probabilities)
def test_every_map_rises_and_stays_a_probability(one: CalibrationMap, given_: list[float]) -> None:
    p = np.sort(np.array(given_, np.float32))
    found = one.apply(p)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()


@settings(deadline=None, max_examples=80)
@given(maps(), probabilities)
def test_a_probability_depends_on_itself_alone(one: CalibrationMap, given_: list[float]) -> None:
    p = np.array(given_, np.float32)
    alone = [float(one.apply(p[i : i + 1])[0]) for i in range(len(p))]
    np.testing.assert_array_equal(one.apply(p), np.array(alone, np.float32))


@pytest.mark.parametrize("slope", [0.2, 1.0, 3.0])
def test_temperature_changes_no_order_and_keeps_a_half(slope: float) -> None:
    p = np.random.default_rng(0).uniform(0.001, 0.8, 2000).astype(np.float32)
    found = CalibrationMap("temperature", slope).apply(p)
    np.testing.assert_array_equal(np.argsort(found, kind="stable"), np.argsort(p, kind="stable"))
    assert CalibrationMap("temperature", slope).apply(np.array([0.5], np.float32))[0] == 0.5


def test_maps_follow_their_formulas() -> None:
    inner = PROBABILITIES[1:-1]
    np.testing.assert_array_equal(MAPS[0].apply(PROBABILITIES), PROBABILITIES)
    np.testing.assert_allclose(MAPS[1].apply(inner), expit(0.4 * logit(inner)), rtol=1e-5)
    np.testing.assert_allclose(MAPS[2].apply(inner), expit(2.5 * logit(inner) - 3), rtol=1e-5)
    ends = MAPS[3].apply(np.array([0.0, 0.01, expit(-0.5), 1.0], np.float32))
    np.testing.assert_allclose(ends, [0.02, 0.02, 0.21, 0.97], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
@pytest.mark.parametrize("one", MAPS, ids=METHODS)
def test_what_is_no_probability_is_refused(one: CalibrationMap, bad: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        one.apply(np.array([0.5, bad], np.float32))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        make().apply(("left",), np.array([[0.5], [bad]], np.float32))


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "guess"},
        {"method": "platt", "slope": 0.0},
        {"method": "platt", "slope": -1.0},
        {"method": "platt", "slope": np.nan},
        {"method": "platt", "offset": np.inf},
        {"method": "temperature", "offset": 1.0},
        {"method": "none", "slope": 2.0},
        {"method": "isotonic"},
        {"method": "platt", "knots": KNOTS},
        {"method": "isotonic", "knots": KNOTS[::-1].copy()},
        {"method": "isotonic", "knots": KNOTS[[0, 0]]},
        {"method": "isotonic", "knots": np.array([[0.0, 0.5], [1.0, 0.4]])},
        {"method": "isotonic", "knots": np.array([[0.0, 1.5]])},
        {"method": "isotonic", "knots": np.array([[np.nan, 0.5]])},
        {"method": "isotonic", "knots": KNOTS.astype(np.float32)},
        {"method": "isotonic", "knots": KNOTS[:, :1]},
    ],
)
def test_a_map_that_would_turn_the_ranking_round_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"method|slope|knots"):
        CalibrationMap(**wrong)  # type: ignore[arg-type]


def test_columns_are_found_by_policy_and_others_stay() -> None:
    p = np.tile(PROBABILITIES[:, None], (1, 3))
    found = make().apply(("bent", "unknown", "stepped"), p)
    np.testing.assert_array_equal(found, np.column_stack([MAPS[2].apply(p[:, 0]), p[:, 1], MAPS[3].apply(p[:, 2])]))
    assert make().apply(("bent",), np.zeros((0, 1), np.float32)).shape == (0, 1)
    with pytest.raises(ValueError, match=r"\(n, 2\), not"):
        make().apply(("bent", "cool"), p)


def test_policies_and_maps_belong_together() -> None:
    with pytest.raises(ValueError, match="1 maps for 2 policies"):
        Calibrator(("a", "b"), MAPS[:1], "m")
    for policies in ((), ("a", "a"), ("a", "")):
        with pytest.raises(ValueError, match="policies must be named"):
            Calibrator(policies, MAPS[: len(policies)], "m")


def test_it_can_be_limited_to_policies_that_are_still_there() -> None:
    some = make().limited(("stepped", "cool", "new"))
    assert some is not None
    assert (some.policies, some.maps) == (("cool", "stepped"), (MAPS[1], MAPS[3]))
    assert make().limited(("new",)) is None
    left = make().limited(("left",))
    assert left is not None
    assert (left.is_identity, make().is_identity) == (True, False)


def test_the_version_follows_the_content() -> None:
    first = make()
    other = [
        replace(first, model_version="model-2"),
        replace(first, policies=("left", "cool", "bent", "other")),
        replace(first, maps=(MAPS[0], MAPS[0], MAPS[2], MAPS[3])),
        replace(first, maps=(MAPS[0], CalibrationMap("temperature", 0.4 + 1e-12), MAPS[2], MAPS[3])),
        replace(first, maps=(*MAPS[:3], CalibrationMap("isotonic", knots=KNOTS + np.array([0, 1e-9])))),
    ]
    assert len({first.version, *(one.version for one in other)}) == 6
    assert make().version == first.version


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    first = make()
    first.save(tmp_path / "deep" / "one")
    first.save(tmp_path / "deep" / "one")
    again = Calibrator.load(tmp_path / "deep" / "one")
    assert (again.version, again.policies, again.model_version) == (first.version, first.policies, "model-1")
    p: npt.NDArray[np.float32] = np.tile(PROBABILITIES[:, None], (1, 4))
    np.testing.assert_array_equal(again.apply(again.policies, p), first.apply(first.policies, p))
    plain = Calibrator(("left",), (CalibrationMap(),), "m")
    plain.save(tmp_path / "plain")
    assert Calibrator.load(tmp_path / "plain").version == plain.version


def test_nothing_is_written_over_another(tmp_path: Path) -> None:
    make().save(tmp_path / "one")
    with pytest.raises(ModelExists, match="choose another folder"):
        replace(make(), model_version="other").save(tmp_path / "one")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotSaved):
        make().save(tmp_path / "file" / "one")
    with pytest.raises(ModelNotFound, match="calibrate the model again"):
        Calibrator.load(tmp_path / "nowhere")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make().save(tmp_path / "one")
    return tmp_path / "one"


@pytest.mark.parametrize(
    "change",
    [
        {"policies": ["one"]},
        {"policies": [1, 2, 3, 4]},
        {"policies": 3},
        {"methods": ["none"] * 4},
        {"methods": ["guess"] * 4},
        {"model_version": "another"},
        {"format": 2},
        {"extra": 1},
        {"version": "0" * 16},
    ],
)
def test_a_card_of_nonsense_is_refused(saved: Path, change: dict[str, object]) -> None:
    card = json.loads((saved / CARD).read_text())
    (saved / CARD).write_text(json.dumps({**card, **change}))
    with pytest.raises(ModelRefused):
        Calibrator.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"lines": np.ones((4, 2), np.float32)},
        {"lines": np.full((4, 2), np.nan)},
        {"lines": np.array([[1, 0], [-0.4, 0], [2.5, -3], [1, 0]], np.float64)},
        {"lines": np.ones((3, 2))},
        {"knots": np.zeros((5, 2))},
        {"knots": KNOTS[::-1].copy()},
        {"lengths": np.array([0, 0, 0, 5], np.int64)},
        {"lengths": np.array([0, 4, 0, 0], np.int64)},
        {"lengths": np.array([0, 0, -4, 8], np.int64)},
        {"extra": np.zeros(1)},
        {"lines": np.array([[1, 0], [0.5, 0], [2.5, -3], [1, 0]], np.float64)},
    ],
)
def test_tensors_of_nonsense_are_refused(saved: Path, change: dict[str, npt.NDArray[np.float64]]) -> None:
    save_file({**load_file(saved / TENSORS), **change}, saved / TENSORS)
    with pytest.raises(ModelRefused):
        Calibrator.load(saved)


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64])
def test_damaged_tensors_are_refused(saved: Path, content: bytes) -> None:
    (saved / TENSORS).write_bytes(content)
    with pytest.raises(ModelRefused, match="damaged"):
        Calibrator.load(saved)
