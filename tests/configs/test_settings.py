from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from configs.errors import SettingsError
from configs.settings import Settings, hide_password, load_settings


def refused(**flags: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, **flags)
    return str(caught.value)


def test_defaults_hang_together() -> None:
    settings = load_settings()
    assert settings.ledger_url == "sqlite:///data/ledger.db"
    assert settings.jobs_url == "sqlite:///data/jobs.db"
    assert settings.lake_uri == "data/lake"
    assert settings.public_url == "http://127.0.0.1:8080"
    assert sorted(path.stem for path in settings.policies_dir.glob("*.yaml"))


def test_stores_follow_the_data_folder() -> None:
    settings = load_settings(data_dir="/srv/gold", lake_uri="s3://bucket/lake")
    assert settings.ledger_url == "sqlite:////srv/gold/ledger.db"
    assert settings.lake_uri == "s3://bucket/lake"


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goldfold.yaml").write_text("port: 1001\nhost: 127.0.0.2\nbudget: 7\n")
    monkeypatch.setenv("GOLDFOLD_PORT", "1002")
    monkeypatch.setenv("GOLDFOLD_HOST", "127.0.0.3")
    settings = load_settings(port=1003, host=None)
    assert (settings.port, settings.host, settings.budget) == (1003, "127.0.0.3", 7)


def test_the_file_is_the_flags_else_the_variables_else_the_one_that_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("goldfold.yaml", "by-variable.yaml", "by-flag.yaml"), start=1):
        (tmp_path / name).write_text(f"port: {number}\n")
    assert load_settings().port == 1
    monkeypatch.setenv("GOLDFOLD_CONFIG", "by-variable.yaml")
    assert load_settings().port == 2
    assert load_settings("by-flag.yaml").port == 3


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"flag: settings file no\.yaml does not exist"):
        load_settings("no.yaml")
    monkeypatch.setenv("GOLDFOLD_CONFIG", "gone.yaml")
    assert "GOLDFOLD_CONFIG: settings file gone.yaml" in refused()


@pytest.mark.parametrize(
    ("typo", "meant"), [("prot", "port"), ("batch_token", "batch_tokens"), ("lake_url", "lake_uri")]
)
def test_an_unknown_key_of_the_file_names_the_nearest(typo: str, meant: str, tmp_path: Path) -> None:
    (tmp_path / "goldfold.yaml").write_text(f"{typo}: 1\n")
    assert refused() == f"goldfold.yaml: {typo}: unknown key; did you mean {meant}?"


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_BUDGTE", "5")
    assert refused() == "environment: GOLDFOLD_BUDGTE: unknown key; did you mean GOLDFOLD_BUDGET?"


def test_the_test_suites_own_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_TEST_ANYTHING", "1")
    load_settings()


def test_an_unknown_flag_is_refused() -> None:
    assert "flag: budgets: unknown key; did you mean budget?" in refused(budgets=1)


def test_every_problem_is_told_at_once_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goldfold.yaml").write_text("port: high\n")
    monkeypatch.setenv("GOLDFOLD_OVERLAP", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings(device="tpu")
    assert [": ".join(problem.split(": ")[:2]) for problem in sorted(caught.value.problems)] == [
        "environment: overlap",
        "flag: device",
        "goldfold.yaml: port",
    ]


def test_a_mapping_comes_as_json_from_the_environment_and_replaces_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "goldfold.yaml").write_text("lanes: {random: 0.5, risk: 0.5}\n")
    assert load_settings().lanes == {"random": 0.5, "risk": 0.5}
    monkeypatch.setenv("GOLDFOLD_LANES", '{"uncertain": 1}')
    assert load_settings().lanes == {"uncertain": 1.0}


def test_a_mapping_that_is_no_json_names_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_LANES", "random=1")
    assert "lanes" in refused()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"lanes": {"random": 0.5}}, "lanes: shares must add up to 1; they add up to 0.5"),
        (
            {"lanes": {"randon": 1.0}},
            "lanes.randon: Input should be 'random', 'risk', 'stratified', 'uncertain' or 'relabel'",
        ),
        ({"partitions": {"train": 2.0}}, "partitions.train"),
        ({"port": 0}, "port"),
        ({"risk_floor": 0}, "risk_floor"),
        ({"duplicate_cosine": 1.5}, "duplicate_cosine"),
        ({"studio_url": "127.0.0.1:8081"}, "studio_url: expected an address such as"),
        ({"batch_tokens": 64, "max_tokens": 128}, "max_tokens must not exceed batch_tokens"),
        ({"data_dir": 7}, "data_dir"),
    ],
)
def test_a_wrong_value_names_its_key(flags: dict[str, object], says: str) -> None:
    assert says in refused(**flags)


def test_an_empty_variable_is_not_set_and_none_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_PORT", "")
    monkeypatch.setenv("GOLDFOLD_DUPLICATE_COSINE", "none")
    settings = load_settings()
    assert settings.port == 8080
    assert settings.duplicate_cosine is None


@pytest.mark.parametrize("text", ["port: 1\nport: 2\n", "- port\n", "port: [\n", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "goldfold.yaml").write_text(text)
    assert refused().startswith("goldfold.yaml: ")


def test_a_file_that_is_no_utf8_is_refused_and_an_empty_one_is_fine(tmp_path: Path) -> None:
    (tmp_path / "goldfold.yaml").write_bytes(b"host: \xff\n")
    assert "cannot be read" in refused()
    (tmp_path / "goldfold.yaml").write_bytes(b"")
    assert load_settings() == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(load_settings(), "port", 1)  # noqa: B010


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_PORT", "1002")
    assert Settings().port == 8080


def test_secrets_are_never_printed() -> None:
    settings = load_settings(
        studio_token="hush-1",
        studio_webhook_secret="hush-2",
        ledger_url="postgresql+psycopg://gold:hush-3@db:5432/gold",
        jobs_url="postgresql+psycopg://gold:hush-4@db/jobs",
        lake_uri="s3://gold:hush-5@bucket/lake",
    )
    printed = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hush" not in printed
    assert "gold:***@db:5432" in printed
    assert printed.count("s3://gold:***@bucket/lake") == 4
    assert settings.lake_uri == "s3://gold:hush-5@bucket/lake"
    assert settings.ledger_url.startswith("postgresql+psycopg://gold:hush-3@")
    assert settings.studio_token.get_secret_value() == "hush-1"


def test_a_refusal_does_not_print_the_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "goldfold.yaml").write_text("studio_token: [hush-1]\n")
    monkeypatch.setenv("GOLDFOLD_LANES", "hush-2")
    for _ in range(2):
        try:
            load_settings()
        except SettingsError:
            assert "hush" not in traceback.format_exc()
        monkeypatch.delenv("GOLDFOLD_LANES", raising=False)


@given(st.text(alphabet=st.characters(categories=["L", "N"], max_codepoint=127), min_size=4))
def test_hiding_a_password_hides_it_and_nothing_else(password: str) -> None:
    hidden = hide_password(f"postgresql://user:{password}@localhost:5432/name?sslmode=require")
    assert hidden == "postgresql://user:***@localhost:5432/name?sslmode=require"
    assert hide_password(f"sqlite:///{password}/x.db") == f"sqlite:///{password}/x.db"


def test_a_device_may_be_one_gpu_of_several() -> None:
    for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:11"):
        assert load_settings(device=name).device == name
    for wrong in ("gpu", "cuda:", "cuda:x", "cpu:0"):
        assert "device: expected auto, cpu, cuda, or one GPU such as cuda:0" in refused(device=wrong)


def test_no_cascade_is_said_alike_in_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "goldfold.yaml"
    file.write_text("cascade: none\n")
    assert load_settings(file).cascade is None
    monkeypatch.setenv("GOLDFOLD_CASCADE", "none")
    assert load_settings().cascade is None
    monkeypatch.setenv("GOLDFOLD_CASCADE", "auto")
    assert load_settings(file).cascade == "auto"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:p/w@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user:p@w:x@host:1/db", "postgresql://user:***@host:1/db"),
        (
            "postgresql://host/db?user=me&password=hush&sslmode=require",
            "postgresql://host/db?user=me&password=***&sslmode=require",
        ),
        ("s3://bucket/lake?secret_access_key=hush", "s3://bucket/lake?secret_access_key=***"),
        ("s3://:hush@bucket", "s3://:***@bucket"),
        ("abfs://container@account/lake", "abfs://container@account/lake"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
        ("/data/a@b:c/lake?key=1", "/data/a@b:c/lake?key=1"),
        ("s3://bucket/prefix:v1@2", "s3://bucket/prefix:v1@2"),
    ],
)
def test_secrets_of_an_address_are_hidden_wherever_they_stand(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_a_secret_of_links_that_could_be_guessed_is_refused() -> None:
    assert Settings().media_link_secret.get_secret_value() == ""
    assert Settings(media_link_secret=SecretStr("s" * 32)).media_link_secret.get_secret_value() == "s" * 32
    with pytest.raises(ValidationError, match="32 characters or more"):
        Settings(media_link_secret=SecretStr("short"))
