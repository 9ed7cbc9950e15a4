"""The compose file: real settings, pinned images, secrets from outside, nothing open to the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_services_are_goldfold_and_its_two_neighbours() -> None:
    assert set(SERVICES) == {"goldfold", "studio", "postgres"}
    assert set(COMPOSE) == {"name", "services", "configs", "volumes"}


def test_images_are_pinned_and_label_studio_is_the_version_we_test() -> None:
    pin = re.search(r"^label-studio==(.+)$", (ROOT / ".ci/pins-studio.txt").read_text(encoding="utf-8"), re.M)
    assert pin is not None
    assert SERVICES["studio"]["image"] == f"heartexlabs/label-studio:{pin[1]}"
    assert re.fullmatch(r"postgres:\d+\.\d+-\w+", SERVICES["postgres"]["image"])


def test_goldfold_is_built_from_the_dockerfile() -> None:
    build = SERVICES["goldfold"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert build["target"] == "${TARGET:-cpu}"
    assert all(f"ARG {name}=" in dockerfile for name in build["args"])


def test_goldfolds_environment_is_settings() -> None:
    known = {f"GOLDFOLD_{field.upper()}" for field in Settings.model_fields}
    assert set(SERVICES["goldfold"]["environment"]) <= known


def test_settings_take_the_environment_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        name.removeprefix("GOLDFOLD_").lower(): re.sub(r"\$\{\w+:[^}]*\}", "filled", str(value))
        for name, value in SERVICES["goldfold"]["environment"].items()
    }
    made = Settings.model_validate(values)
    assert made.studio_url == "http://studio:8080"
    assert made.public_url == "http://goldfold.internal:8080"
    assert made.ledger_url.startswith("postgresql+psycopg://")


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_secrets_come_from_outside_and_ports_are_loopback(service: str) -> None:
    for name, value in SERVICES[service]["environment"].items():
        if re.search(r"PASSWORD|(?<!API_)TOKEN$|SECRET", name):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?set it in .env\}", str(value)), name
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_the_example_names_every_variable_that_must_be_set_and_holds_none() -> None:
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^([A-Z_]+)=$", example, re.M)) == needed
    assert not re.findall(r"^[A-Z_]+=.+$", example, re.M)


def test_what_is_referred_to_is_declared() -> None:
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert named == set(COMPOSE["volumes"])
    waited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    assert waited <= {name for name, service in SERVICES.items() if "healthcheck" in service}
    databases = set(re.findall(r"CREATE DATABASE (\w+);", COMPOSE["configs"]["databases"]["content"]))
    assert databases == {"jobs", SERVICES["studio"]["environment"]["POSTGRE_NAME"]}
