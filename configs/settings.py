"""Goldfold's settings: one flat, typed, frozen value, read once by the api room and passed down as plain values.

Precedence, lowest first: defaults, the YAML file, the environment (``GOLDFOLD_*``), flags.
``Settings(...)`` itself reads nothing; ``load_settings`` does.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from configs.errors import SettingsError
from configs.files import explain, read_mapping, refuse_unknown

PREFIX = "GOLDFOLD_"
CONFIG_VARIABLE = "GOLDFOLD_CONFIG"
TEST_PREFIX = "GOLDFOLD_TEST_"  # the test suite's own variables; not settings
DEFAULT_FILE = Path("goldfold.yaml")
PACKAGED_POLICIES = Path(__file__).parent / "policies"
PACKAGED_SOPS = Path(__file__).parent / "sops"

LaneName = Literal["random", "risk", "stratified", "uncertain", "relabel"]
PartitionName = Literal["train", "calibration", "dev", "sealed", "anchor"]
Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["0", "1", "2", "3", "4"]
Margin = Annotated[float, Field(gt=0, lt=1)]
RoleName = Literal["annotator", "viewer", "engineer", "lead", "admin"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


PASSWORD = re.compile(r"(?<=://)([^:/@?#]*):.*@")  # to the last @: whoever forgot to escape a password is not exposed
SECRET_QUERY = re.compile(r"(?i)([?&;][^=&;]*(?:pass|secret|token|key|sig)[^=&;]*=)[^&;#]*")


def hide_password(url: str) -> str:
    """The URL with its password, and what its query says of secrets, if any, replaced by ``***``."""
    hidden = PASSWORD.sub(r"\1:***@", url)
    return SECRET_QUERY.sub(r"\1***", hidden) if "://" in url else url


def _sum_to_one(shares: dict[str, float]) -> dict[str, float]:
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares must add up to 1; they add up to {sum(shares.values()):g}")
    return shares


def _all_severities(margins: dict[str, float]) -> dict[str, float]:
    if missing := sorted({"0", "1", "2", "3", "4"} - set(margins)):
        raise ValueError(f"a margin is missing for severity {', '.join(missing)}")
    return margins


def _none(value: object) -> object:
    """A file says none as the environment does."""
    return None if value == "none" else value


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address such as http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise ValueError("an address here holds no user or password; give a token in the setting for it")
    return url.rstrip("/")


def _closed(url: str) -> str:
    """An address over TLS, or on this machine: what goes there are secrets."""
    parts = urlsplit(_http(url))
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("expected an https address; http is for 127.0.0.1 and localhost alone")
    if parts.query or parts.fragment:
        raise ValueError("expected an address without ? and #, as the provider's documentation gives it")
    return url


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host  # an IPv6 address


# Such a URL may hold a password: it is shown masked wherever the settings are printed or dumped.
SecretUrl = Annotated[str, Field(min_length=1), PlainSerializer(hide_password)]
HttpUrl = Annotated[str, AfterValidator(_http)]
IssuerUrl = Annotated[str, AfterValidator(_closed)]


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError("expected auto, cpu, cuda, or one GPU such as cuda:0")
    return name


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("expected a time zone such as UTC or Europe/Lisbon") from error
    return name


def _shown(text: str) -> dict[str, Any]:
    """How the documentation shows a default that depends on the machine or on another setting."""
    return {"shown": text}


def _hard_to_guess(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value() and len(secret.get_secret_value()) < 32:
        raise ValueError("expected 32 characters or more, such as those of: openssl rand -hex 32")
    return secret


class Settings(BaseSettings):
    """Every setting. Units are in the names: ``_s`` seconds, ``_ms``, ``_bytes``, ``_tokens``, ``_chars``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, env_parse_none_str="none", extra="forbid", frozen=True
    )

    data_dir: Path = Field(default=Path("data"), description="Folder for everything Goldfold keeps on this machine.")
    ledger_url: SecretUrl = Field(
        default_factory=lambda data: f"sqlite:///{data['data_dir']}/ledger.db",
        description="SQLAlchemy URL of the ledger; postgresql+psycopg://user:password@host/name in production.",
        json_schema_extra=_shown("sqlite in data_dir"),
    )
    lake_uri: SecretUrl = Field(
        default_factory=lambda data: str(data["data_dir"] / "lake"),
        description="Folder or object-storage URI (s3://bucket/prefix) of the lake.",
        json_schema_extra=_shown("data_dir/lake"),
    )
    jobs_url: SecretUrl = Field(
        default_factory=lambda data: f"sqlite:///{data['data_dir']}/jobs.db",
        description="SQLAlchemy URL of the durable jobs' own database.",
        json_schema_extra=_shown("sqlite in data_dir"),
    )
    policies_dir: Path = Field(
        default=PACKAGED_POLICIES,
        description="Folder of policy files (*.yaml).",
        json_schema_extra=_shown("configs/policies, as packaged"),
    )
    sops_dir: Path = Field(
        default=PACKAGED_SOPS,
        description="Folder of decision trees (*.yaml), by which people and agents apply a policy.",
        json_schema_extra=_shown("configs/sops, as packaged"),
    )

    host: str = Field(default="127.0.0.1", min_length=1, description="Address the service listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port the service listens on.")
    public_url: HttpUrl = Field(
        default_factory=lambda data: f"http://{_in_url(data['host'])}:{data['port']}",
        description="Address under which Label Studio reaches this service, for its webhook, and annotators' browsers "
        "do, for images.",
        json_schema_extra=_shown("http://host:port"),
    )
    max_body_bytes: int = Field(
        default=33_554_432, ge=1024, description="Largest request body; a bigger one is refused with 413."
    )
    console_session_hours: float = Field(
        default=12.0, gt=0, le=720, description="Hours after which a sign-in at the console ends."
    )
    oidc_issuer: Annotated[IssuerUrl | None, BeforeValidator(_none)] = Field(
        default=None,
        description="Issuer of an OpenID Connect provider that people may sign in with at the console, to the letter; "
        "none: API keys only.",
    )
    oidc_client_id: str = Field(default="", description="Goldfold's client id at that provider.")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Goldfold's client secret there.")
    oidc_name: str = Field(
        default="your organisation", min_length=1, max_length=60, description="What the button says: Sign in with ..."
    )
    oidc_claim: str = Field(
        default="groups",
        min_length=1,
        description="Claim of the ID token that roles come from; dots lead into a claim, as in realm_access.roles.",
    )
    oidc_roles: dict[str, RoleName] = Field(
        default={}, description="Role by value of that claim; of several the highest counts."
    )
    oidc_default_role: Annotated[RoleName | None, BeforeValidator(_none)] = Field(
        default=None, description="Role of people whom no value of the claim gives one; none: they are refused."
    )
    openapi_open: bool = Field(default=False, description="Whether /openapi.json answers without an API key.")

    studio_url: HttpUrl = Field(default="http://127.0.0.1:8081", description="Address of Label Studio.")
    studio_token: SecretStr = Field(
        default=SecretStr(""), description="Access token of Goldfold's account in Label Studio."
    )
    studio_ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities trusted for Label Studio; none: the usual ones."
    )
    studio_proxy: SecretStr = Field(
        default=SecretStr(""),
        description="HTTP proxy to Label Studio, with its password if it has one; empty: what HTTPS_PROXY says.",
    )
    studio_owner: str = Field(
        default="goldfold",
        pattern=r"^[A-Za-z0-9._-]{1,60}$",
        description="Name of this installation in Label Studio; two that share a server need different ones.",
    )
    studio_timeout_s: float = Field(
        default=300.0, gt=0, description="Seconds to wait for one answer of Label Studio; its own limit is 120."
    )
    studio_settle_s: float = Field(
        default=130.0,
        ge=0,
        description="Seconds a request whose answer was lost may still run in Label Studio; its own limit is 120.",
    )
    studio_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Shared secret of the webhook; empty: it is closed and the sweep does it all.",
    )
    ml_backend_user: str = Field(
        default="",
        pattern="^[^:]*$",
        description="User under which Label Studio asks for suggestions in assisted projects; empty: it cannot.",
    )
    ml_backend_password: SecretStr = Field(
        default=SecretStr(""), description="Password of that user; neither goes without the other."
    )

    scorer: str = Field(
        default="embedding-head",
        min_length=1,
        description="The scorer: the name of a packaged scorer file, or the path of one (YAML).",
    )
    cascade: Annotated[str | None, BeforeValidator(_none)] = Field(
        default=None,
        min_length=1,
        description="Cascade before the scorer: none, auto (the newest that was fitted to it) or a cascade's folder.",
    )
    encoder: str = Field(
        default="default",
        min_length=1,
        description="Sentence encoder: default (all-MiniLM-L6-v2), a local path or a hub id.",
    )
    image_scorer: str | None = Field(
        default=None,
        min_length=1,
        description="Scorer of images: opennsfw, which comes with Goldfold, or another scorer file that reads images; "
        "none: images wait.",
    )
    video_scorer: str | None = Field(
        default=None, min_length=1, description="Scorer of videos: video, or another scorer file; none: videos wait."
    )
    judges_dir: Path | None = Field(
        default=None,
        description="Folder of the endpoint files (*.yaml) of remote judges, which are named without `.yaml`.",
    )
    media_dir: Path | None = Field(
        default=None, description="Folder that the paths in an item's media are below; none: no local media is read."
    )
    media_hosts: list[str] = Field(
        default=[],
        description="Hosts that media may be fetched from, each with a port if need be. They must be at public "
        "addresses; private:HOST:PORT names a server of your own network.",
    )
    media_max_bytes: int = Field(default=33_554_432, ge=1, description="Largest image, or fetched video, that is read.")
    media_timeout_s: float = Field(default=30.0, gt=0, description="Seconds that fetching one image or video may take.")
    media_link_secret: Annotated[SecretStr, AfterValidator(_hard_to_guess)] = Field(
        default=SecretStr(""),
        description="What links to images are signed with, 32 characters or more; empty: none are given.",
    )
    media_link_minutes: int = Field(
        default=15, ge=1, le=1440, description="Minutes for which a link to an image opens it."
    )
    task_link_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="Hours for which the link in a task of Label Studio opens its image; a sync renews it at half of "
        "them.",
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default="auto",
        description="Where models run: cpu, cuda (every GPU), cuda:0 (one of them), or auto (GPUs if any).",
    )
    cpu_precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="What text models on a CPU multiply in: float32, or bfloat16, about twice as fast on CPUs that "
        "have units for it (`goldfold doctor` says so); a score moves by some thousandths.",
    )
    batch_tokens: int | None = Field(
        default=None, ge=1, description="Tokens in one batch of a model, padding included; none: what suits the device."
    )
    max_tokens: int = Field(
        default=256,
        ge=8,
        description=(
            "Tokens that a model reads at once. A longer text is read in windows, of a very long one the first two and "
            "the last two; the highest of their scores counts, and a note says what was read."
        ),
    )
    max_text_chars: int = Field(default=20_000, ge=1, description="Longest text accepted, in characters.")

    online_max_items: int = Field(default=1000, ge=1, description="Most texts in one request for scores.")
    online_queue_items: int = Field(
        default=2000, ge=1, description="Texts that may wait to be scored online, over all requests."
    )
    online_queue_ms: int = Field(
        default=1000, ge=1, description="Milliseconds of work that may lie before a request for scores; more is 429."
    )
    online_batch_ms: int = Field(
        default=100, ge=1, description="Milliseconds that one batch of online scoring aims at; longer ones score more."
    )
    online_deadline_ms: int = Field(
        default=5000, ge=1, description="Deadline of a request for scores that names none, in milliseconds."
    )
    online_max_deadline_ms: int = Field(default=60_000, ge=1, description="Longest deadline that a request may name.")
    online_preload: bool = Field(
        default=False, description="Load the model when the service starts, not with the first request for scores."
    )

    budget: int = Field(default=100, ge=1, description="Picks in a round, over all lanes.")
    lanes: Annotated[dict[LaneName, Share], AfterValidator(_sum_to_one)] = Field(
        default={"random": 0.1, "risk": 0.3, "uncertain": 0.6},
        description="Share of the budget for each lane; the shares add up to 1.",
    )
    risk_floor: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of the risk lane's chances spread evenly, so that no item's chance is 0.",
    )
    duplicate_cosine: float | None = Field(
        default=0.95, gt=0, le=1, description="Cosine from which two items count as near-duplicates; none: never."
    )
    overlap: int = Field(default=2, ge=1, le=10, description="People who answer each blind task.")
    assisted_blind_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Share of a round's assisted picks that are also asked blind, for the anchoring meter.",
    )
    adaptive_overlap: Literal["roster", "always", "never"] = Field(
        default="roster",
        description="Where one more person is asked when the first answers differ, or contradict a model that was "
        "sure: where a roster says that there is one, always, or never.",
    )
    max_overlap: int = Field(default=3, ge=1, le=10, description="The most people that adaptive overlap asks.")
    model_sure: float = Field(
        default=0.9, gt=0.5, le=1, description="Probability from which a model counts as sure, for adaptive overlap."
    )
    extra_share: float = Field(
        default=0.25, ge=0, le=1, description="Share of a round's questions that adaptive overlap may ask once more."
    )
    daily_exposure: float = Field(
        default=240.0, gt=0, description="Units of exposure a day for people whose row on the roster says nothing else."
    )
    severe_in_row: int = Field(default=5, ge=0, description="Severe items in a row on one desk, at most.")
    severe_units: float = Field(default=8.0, gt=0, description="Units of exposure from which an item counts as severe.")
    mild_units: float = Field(
        default=1.0, ge=0, description="Units below which an item is mild: the last tenth of a day is kept for these."
    )
    exposure_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone in which a day of exposure begins, such as Europe/Lisbon."
    )
    injection_rate: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Injections for each copy handed out; 0: none. Tell people of them.",
    )
    injection_rest_days: float = Field(
        default=7.0, ge=0, description="Days without injections after a verdict on a person and policy."
    )
    injection_pause: bool = Field(
        default=False, description="Whether a person whom injections flag gets nothing new until a lead has looked."
    )
    leads: list[str] = Field(
        default=[],
        description="E-mail addresses of those who may adjudicate; empty: anybody who did not label the item.",
    )
    review_share: Share = Field(
        default=0.1, description="Share of adjudications that a second lead decides too, blind; by a hash, from 0 to 1."
    )
    two_person_release: bool = Field(
        default=False,
        description="Whether a golden version, or a version of a policy, is only proposed when it is published, until "
        "another lead approves it.",
    )
    partitions: Annotated[dict[PartitionName, Share], AfterValidator(_sum_to_one)] = Field(
        default={"train": 0.6, "calibration": 0.1, "dev": 0.15, "sealed": 0.15},
        description="Share of new golden items for each partition; the shares add up to 1.",
    )

    gate_margins: Annotated[dict[Severity, Margin], AfterValidator(_all_severities)] = Field(
        default={"0": 0.1, "1": 0.08, "2": 0.05, "3": 0.03, "4": 0.02},
        description="How much lower a challenger's share of right decisions may be than the champion's, by severity.",
    )
    gate_needed: Literal["after-first", "always", "never"] = Field(
        default="after-first",
        description="Which promotions need a passing gate: those that replace a champion, all, or none.",
    )
    gate_secret: Annotated[SecretStr, AfterValidator(_hard_to_guess)] = Field(
        default=SecretStr(""),
        description="What verdicts of the gate are signed with, 32 characters or more; empty: they are chained only.",
    )
    sealed_budget: int = Field(
        default=20, ge=0, description="Questions that a model family may ask of one sealed partition."
    )
    sealed_min_cell: int = Field(
        default=20, ge=13, description="Fewest sealed answers that a figure may rest on; below it is insufficient."
    )

    qa_budget: int = Field(default=200, ge=1, description="Decisions of a day that daily QA has judged again, at most.")
    qa_floor: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Decisions of each stratum that daily QA draws at least.",
    )
    qa_prior: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Share of decisions that is wrong, while daily QA knows nothing.",
    )
    qa_file: Path | None = Field(
        default=None, description="The QA file (YAML): targets by project, actions, people; none: 0.95 for all."
    )

    mlflow_url: Annotated[HttpUrl | None, BeforeValidator(_none)] = Field(
        default=None, description="Address of an MLflow server that mirrors the registry of models; none: no mirror."
    )
    mlflow_token: SecretStr = Field(
        default=SecretStr(""), description="Token for that server, sent as a bearer token; empty: none is sent."
    )

    sync_interval_s: float = Field(default=30.0, gt=0, description="Seconds between two sweeps of Label Studio.")
    executor_id: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of this process among those that run jobs: unique, and the same after a restart.",
        json_schema_extra=_shown("the host's name"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_json: bool = Field(default=False, description="Log one JSON object a line instead of text for people.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.batch_tokens is not None and self.max_tokens > self.batch_tokens:
            raise ValueError("max_tokens must not exceed batch_tokens: a batch holds at least one text")
        if bool(self.ml_backend_user) != bool(self.ml_backend_password.get_secret_value()):
            raise ValueError("ml_backend_user and ml_backend_password go together: set both, or neither")
        secret = self.oidc_client_secret.get_secret_value()
        if len({bool(self.oidc_issuer), bool(self.oidc_client_id), bool(secret)}) > 1:
            raise ValueError("oidc_issuer, oidc_client_id and oidc_client_secret go together: set all three, or none")
        if self.oidc_issuer and not (self.oidc_roles or self.oidc_default_role):
            raise ValueError("oidc_roles must name a role, or nobody could sign in: map a value of oidc_claim to one")
        if self.online_max_items > self.online_queue_items:
            raise ValueError("online_max_items must not exceed online_queue_items: the queue holds a whole request")
        if self.online_deadline_ms > self.online_max_deadline_ms:
            raise ValueError("online_deadline_ms must not exceed online_max_deadline_ms")
        return self

    def __repr_args__(self) -> Any:
        masked = {"ledger_url", "jobs_url", "lake_uri"}
        return [(k, hide_password(v) if k in masked else v) for k, v in super().__repr_args__() if k]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: file and environment are merged by ``load_settings``, which can name their origin."""
        return (init_settings,)


def load_settings(file: Path | str | None = None, **flags: object) -> Settings:
    """Settings from the file, the environment and ``flags`` (a flag that is None was not given).

    The file is ``file``, else the one ``GOLDFOLD_CONFIG`` names, else ./goldfold.yaml if it is there. Relative paths
    are relative to the working directory. Raises SettingsError naming every unknown key and every wrong value.
    """
    path = _file(file)
    in_file = read_mapping(path) if path else {}
    in_environment, problems = _environment()
    given = {key: value for key, value in flags.items() if value is not None}
    if path:
        problems += refuse_unknown(in_file, Settings.model_fields, str(path))
    problems += refuse_unknown(given, Settings.model_fields, "flag")
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    origins = dict.fromkeys(in_file, str(path)) | dict.fromkeys(in_environment, "environment")
    origins |= dict.fromkeys(given, "flag")
    try:
        return Settings.model_validate({**in_file, **in_environment, **given})
    except ValidationError as error:
        problems = explain(error, origins, "settings")
    raise SettingsError("; ".join(problems), tuple(problems))


def _file(file: Path | str | None) -> Path | None:
    named = file or os.environ.get(CONFIG_VARIABLE)
    if named:
        if not Path(named).is_file():
            by = "flag" if file else CONFIG_VARIABLE
            raise SettingsError(f"{by}: settings file {named} does not exist")
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def _environment() -> tuple[dict[str, object], list[str]]:
    """What ``GOLDFOLD_*`` variables set, by field, and a problem for each that is no setting."""
    given = [name for name in os.environ if name.upper().startswith(PREFIX) and not name.startswith(TEST_PREFIX)]
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    problems = refuse_unknown((name.upper() for name in given), [*known, CONFIG_VARIABLE], "environment")
    try:
        return dict(EnvSettingsSource(Settings)()), problems
    except SourceError as error:  # its message names the field and not the value
        return {}, [*problems, f'environment: {error}: expected JSON, such as {{"random": 1.0}}']
