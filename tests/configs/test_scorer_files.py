from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from configs.errors import SettingsError
from configs.scorer_files import is_committee, judged_policies, packaged_scorers, read_scorer, scorer_path
from configs.scorer_kinds import KINDS, EmbeddingHeadFile, EnsembleFile, GuardLLMFile, HFText, ScorerFile
from configs.settings import PACKAGED_POLICIES


def write(folder: Path, text: str) -> Path:
    path = folder / "scorer.yaml"
    path.write_text(f"kind: hf-text\n{text}")
    return path


def read_text_scorer(path: Path, policies: list[str] | None = None) -> HFText:
    file = read_scorer(path, policies)
    assert isinstance(file, HFText)
    return file


def test_a_folder_beside_the_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    scorer = read_text_scorer(write(tmp_path, "model: model\nlabels: {hate: hate_speech, threat: violence}\n"))
    assert scorer.model == str(tmp_path / "model")
    assert scorer.labels == {"hate": "hate_speech", "threat": "violence"}
    assert (scorer.activation, scorer.max_tokens) == (None, None)


def test_a_hub_id_needs_a_revision(tmp_path: Path) -> None:
    text = "model: some/model\nlabels: {toxic: violence}\n"
    with pytest.raises(SettingsError, match=r"some/model is no local folder.*revision"):
        read_scorer(write(tmp_path, text))
    assert read_text_scorer(write(tmp_path, text + "revision: 0a1b2c\n")).revision == "0a1b2c"


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
    assert read_text_scorer(path, ["violence", "hate_spech", "x"]).labels["hate"] == "hate_spech"


def test_a_guard_model_judges_the_policies_it_names_or_all(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "guard.yaml"
    path.write_text("kind: guard-llm\nmodel: model\n")
    file = read_scorer(path, ["a", "b"])
    assert isinstance(file, GuardLLMFile)
    assert (file.style, file.policies, file.max_tokens, file.cache_bytes) == ("generic", None, None, 2**30)
    assert judged_policies(path, ["a", "b"]) == {"a", "b"}
    path.write_text("kind: guard-llm\nmodel: model\npolicies: [b]\n")
    assert judged_policies(path, ["a", "b"]) == {"b"}
    path.write_text("kind: guard-llm\nmodel: model\npolicies: [c]\n")
    with pytest.raises(SettingsError, match=r"guard.yaml: policies.c: 'c' is no policy \(known: a, b\)"):
        read_scorer(path, ["a", "b"])


@pytest.mark.parametrize("wrong", ["style: llama", "policies: []", "max_tokens: 15", "cache_bytes: -1"])
def test_a_wrong_key_of_a_guard_model_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "guard.yaml").write_text(f"kind: guard-llm\nmodel: model\n{wrong}\n")
    with pytest.raises(SettingsError, match=f"guard.yaml: {wrong.partition(':')[0]}"):
        read_scorer(tmp_path / "guard.yaml")


def test_a_missing_file_is_said_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.yaml: cannot be read.*embedding-head, .*toxic-bert"):
        read_scorer(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: a\n", "kind: say which kind of scorer this is: embedding-head, hf-text"),
        ("kind: hf-texts\n", "kind: 'hf-texts' is none of .*; did you mean hf-text"),
        ("kind: [hf-text]\n", "kind: .* is none of"),
    ],
)
def test_a_kind_that_nobody_knows(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        read_scorer(tmp_path / "x.yaml")


@pytest.mark.parametrize("name", packaged_scorers())
def test_every_packaged_file_reads_and_means_packaged_policies(name: str) -> None:
    policies = [path.stem for path in PACKAGED_POLICIES.glob("*.yaml")]
    file = read_scorer(name, policies)
    assert judged_policies(name, policies) <= set(policies)
    revision = getattr(file, "revision", None)
    assert revision is None or re.fullmatch(r"[0-9a-f]{40}", revision)


def test_every_kind_is_named_as_it_says() -> None:
    for kind, model in KINDS.items():
        assert get_args(model.model_fields["kind"].annotation) == (kind,)
        assert issubclass(model, ScorerFile)
        assert model.__doc__


def test_the_default_names_no_model() -> None:
    assert read_scorer("embedding-head") == EmbeddingHeadFile(kind="embedding-head")
    assert judged_policies("embedding-head", ["a", "b"]) == {"a", "b"}


def test_who_asks_for_a_text_scorer_is_told_that_a_file_is_for_images() -> None:
    assert judged_policies("opennsfw", ["sexual"]) == judged_policies("opennsfw", ["sexual"], reads="image")
    with pytest.raises(SettingsError, match=r"opennsfw.yaml: kind opennsfw reads images; name a scorer file for texts"):
        judged_policies("opennsfw", ["sexual"], reads="text")


def test_an_ensemble_judges_what_its_members_judge(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write(tmp_path, "model: model\nlabels: {hate: hate_speech}\n")
    path = tmp_path / "both.yaml"
    path.write_text("kind: ensemble\nmembers: [scorer.yaml, dynabench-hate]\n")
    file = read_scorer(path)
    assert isinstance(file, EnsembleFile)
    assert judged_policies(path, ["hate_speech", "violence"]) == {"hate_speech"}
    path.write_text("kind: ensemble\nmembers: [scorer.yaml, nowhere.yaml]\n")
    with pytest.raises(SettingsError, match=r"nowhere.yaml: cannot be read"):
        judged_policies(path, ["hate_speech"])
    path.write_text("kind: ensemble\nmembers: [scorer.yaml]\n")
    with pytest.raises(SettingsError, match="members"):
        read_scorer(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: video\nimages: own.yaml\n", r"own.yaml: own.yaml: kind video reads videos; .* for images"),
        ("kind: video\nimages: toxic-bert\n", "toxic-bert: kind hf-text reads texts; .* for images"),
        ("kind: video\nimages: opennsfw\ntranscript: opennsfw\n", "opennsfw: kind opennsfw reads images; .* for texts"),
        ("kind: ensemble\nmembers: [opennsfw, toxic-bert]\n", "opennsfw: kind opennsfw reads images; .* for texts"),
    ],
)
def test_a_part_that_reads_something_else_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        judged_policies(tmp_path / "own.yaml", ["sexual", "hate_speech", "violence"])


def test_the_home_of_a_user_nobody_knows_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"~no-such-user/model is no local folder"):
        read_scorer(write(tmp_path, "model: ~no-such-user/model\nlabels: {a: b}\n"))
    with pytest.raises(SettingsError, match=r"~no-such-user/a.yaml: cannot be read"):
        read_scorer("~no-such-user/a.yaml")


def test_an_ensemble_may_not_be_a_part_of_itself(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("kind: ensemble\nmembers: [second.yaml, toxic-bert]\n")
    second.write_text("kind: ensemble\nmembers: [toxic-bert, first.yaml]\n")
    with pytest.raises(SettingsError, match=r"part of itself: \S+first.yaml -> \S+second.yaml -> \S+first.yaml;"):
        judged_policies(first, ["hate_speech", "violence", "sexual"])
    second.write_text("kind: ensemble\nmembers: [toxic-bert, toxic-bert]\n")
    assert judged_policies(first, ["hate_speech", "violence", "sexual"])  # a file may come twice


def test_a_video_is_judged_by_its_parts(tmp_path: Path) -> None:
    assert judged_policies("video", ["sexual", "violence"]) == {"sexual"}
    (tmp_path / "own.yaml").write_text("kind: video\nimages: opennsfw\ntranscript: embedding-head\n")
    assert judged_policies(tmp_path / "own.yaml", ["sexual", "violence"]) == {"sexual", "violence"}


def test_captions_that_mean_no_policy_are_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "own.yaml"
    path.write_text("kind: image-text\nmodel: model\nprompts: {gore: {violates: [blood]}}\n")
    with pytest.raises(SettingsError, match=r"prompts.gore: 'gore' is no policy"):
        read_scorer(path, ["violence"])
    path.write_text("kind: image-text\nmodel: model\nprompts: {violence: {violates: []}}\n")
    with pytest.raises(SettingsError, match=r"prompts.violence.violates"):
        read_scorer(path, ["violence"])


def test_a_name_goes_before_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toxic-bert").write_text("kind: hf-text\n")
    assert scorer_path("toxic-bert").suffix == ".yaml"
    assert scorer_path("./toxic-bert") == Path("toxic-bert")


def test_dropout_is_for_a_classifier_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "unsure.yaml"
    path.write_text("kind: mc-dropout\nscorer: dynabench-hate\n")
    assert judged_policies(path, ["hate_speech", "violence"]) == {"hate_speech"}
    path.write_text("kind: mc-dropout\nscorer: embedding-head\n")
    with pytest.raises(SettingsError, match="is of kind embedding-head; name one of kind hf-text"):
        judged_policies(path, ["hate_speech"])
    path.write_text("kind: mc-dropout\nscorer: dynabench-hate\npasses: 1\n")
    with pytest.raises(SettingsError, match=r"unsure.yaml: passes"):
        read_scorer(path)


def test_only_ensembles_and_dropout_are_committees() -> None:
    committees = {name for name in packaged_scorers() if is_committee(name)}
    assert committees == {"hate-ensemble", "hate-mc-dropout"}
