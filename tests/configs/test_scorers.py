from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import SettingsError
from configs.scorers import read_scorer


def write(folder: Path, text: str) -> Path:
    path = folder / "scorer.yaml"
    path.write_text(text)
    return path


def test_a_folder_beside_the_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    scorer = read_scorer(write(tmp_path, "model: model\nlabels: {hate: hate_speech, threat: violence}\n"))
    assert scorer.model == str(tmp_path / "model")
    assert scorer.labels == {"hate": "hate_speech", "threat": "violence"}
    assert (scorer.activation, scorer.max_tokens) == (None, None)


def test_a_hub_id_needs_a_revision(tmp_path: Path) -> None:
    text = "model: some/model\nlabels: {toxic: violence}\n"
    with pytest.raises(SettingsError, match=r"some/model is no local folder.*revision"):
        read_scorer(write(tmp_path, text))
    assert read_scorer(write(tmp_path, text + "revision: 0a1b2c\n")).revision == "0a1b2c"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: a\nrevision: b\nlabel: {}\n", "label: unknown key; did you mean labels?"),
        ("model: a\nrevision: b\nlabels: {}\n", "labels"),
        ("model: a\nrevision: b\nlabels: {toxic: [x]}\n", "labels.toxic"),
        ("model: a\nrevision: b\nlabels: {toxic: x}\nactivation: tanh\n", "activation"),
        ("revision: b\nlabels: {toxic: x}\n", "model"),
    ],
)
def test_a_wrong_file_names_file_and_key(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_scorer(write(tmp_path, text))
    assert f"scorer.yaml: {says}" in str(caught.value)


def test_a_label_that_means_no_policy_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = write(tmp_path, "model: model\nlabels: {hate: hate_spech, blood: violence, other: x}\n")
    with pytest.raises(SettingsError) as refused:
        read_scorer(path, ["violence", "hate_speech"])
    assert refused.value.problems == (
        f"{path}: labels.hate: 'hate_spech' is no policy; did you mean 'hate_speech'? (known: hate_speech, violence)",
        f"{path}: labels.other: 'x' is no policy (known: hate_speech, violence)",
    )
    assert read_scorer(path, ["violence", "hate_spech", "x"]).labels["hate"] == "hate_spech"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_scorer(tmp_path / "none.yaml")
