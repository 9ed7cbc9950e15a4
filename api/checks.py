"""What ``goldfold doctor`` looks at: each check says what it found and, when it is not well, the cure."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.composition import way
from api.jobs.database import jobs_engine
from api.lazy_scorers import models
from configs.errors import SettingsError
from configs.scorer_files import judged_policies
from configs.settings import Settings, hide_password
from labeling.addresses import look_up, parse_host, refusal
from labeling.errors import LabelingError
from labeling.media import MediaReader
from labeling.media_scorer import BATCH
from labeling.mirror.mlflow import Mlflow
from labeling.mirror.run import behind
from labeling.policies import Policy, read_policies
from labeling.policy_versions import History, by_policy, refuse_edits
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from labeling.studio.client import StudioClient
from scoring.errors import ScoringError

LOW_DISK_BYTES = 2 * 1024**3
STUDIO_TIMEOUT_S = 10.0
PORT_TIMEOUT_S = 1.0
STUDIO_VERSION = "1.23"
IMAGES_HELD = 2 * BATCH  # one batch is scored while the next one is read
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``state``: ok, warning (works, but) or failed (a round would not work)."""

    name: str
    state: str
    found: str
    cure: str = ""


def run_checks(settings: Settings) -> list[Check]:
    """Every check, in the order in which a newcomer would mend things."""
    checks: list[Callable[[Settings], Check]] = [
        check_disk,
        check_policies,
        check_ledger,
        check_jobs,
        check_lake,
        check_device,
        check_model,
        check_media,
        check_port,
        check_studio,
        check_mirror,
    ]
    return [check(settings) for check in checks]


def check_disk(settings: Settings) -> Check:
    """The data folder can be written, and its disk is not nearly full."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Check("disk", "failed", f"{folder}: {error.strerror}", "point data_dir at a folder you may write to")
    free = shutil.disk_usage(folder).free
    found = f"{folder}: {free / 1024**3:.1f} GiB free"
    if free < LOW_DISK_BYTES:
        return Check("disk", "warning", found, "make room: a million items need about 1 GiB")
    return Check("disk", "ok", found)


def check_policies(settings: Settings) -> Check:
    """The policy files can be read, and say what was published under their versions."""
    try:
        policies = read_policies(settings.policies_dir)
    except LabelingError as error:
        return Check("policies", "failed", str(error), "mend the file that is named")
    try:
        ledger = open_ledger(settings.ledger_url)
    except LabelingError:  # which check_ledger says
        return Check("policies", "ok", ", ".join(f"{p.id} {p.version}" for p in policies.values()))
    try:
        published = by_policy(ledger.policies.all())
        refuse_edits(policies, published, settings.policies_dir)
    except LabelingError as error:
        return Check("policies", "failed", str(error), "raise its version and publish it, or put the text back")
    finally:
        ledger.close()
    found = ", ".join(f"{p.id} {p.version}" for p in policies.values())
    drafts = [p.id for p in policies.values() if p.id in published and not _is_published(p, published[p.id])]
    if drafts:
        cure = "goldfold policy publish, or put the published text back (goldfold policy show)"
        return Check("policies", "warning", f"{found}; not published yet: {', '.join(drafts)}", cure)
    return Check("policies", "ok", found)


def _is_published(policy: Policy, history: History) -> bool:
    return any(version.version == policy.version for version in history)


def check_ledger(settings: Settings) -> Check:
    """The ledger opens and is migrated."""
    cure = "check ledger_url, and that its server runs"
    try:
        ledger = open_ledger(settings.ledger_url)
    except LabelingError as error:
        return Check("ledger", "failed", str(error), cure)
    try:
        found = f"{hide_password(settings.ledger_url)}: {ledger.items.count()} items registered"
    except LabelingError as error:
        return Check("ledger", "failed", str(error), cure)
    finally:
        ledger.close()
    return Check("ledger", "ok", found)


def check_jobs(settings: Settings) -> Check:
    """The jobs' database can be reached."""
    try:
        jobs_engine(settings.jobs_url).dispose()
    except LabelingError as error:
        return Check("jobs", "failed", str(error), "check jobs_url, and that its server runs")
    return Check("jobs", "ok", hide_password(settings.jobs_url))


def check_lake(settings: Settings) -> Check:
    """The lake can be read."""
    try:
        count = LanceLake(settings.lake_uri).count()
    except LabelingError as error:
        return Check("lake", "failed", str(error), "check lake_uri and its rights")
    return Check("lake", "ok", f"{hide_password(settings.lake_uri)}: {count} items")


def check_device(settings: Settings) -> Check:
    """The device that was asked for is there."""
    try:
        return Check("device", "ok", models().describe_device(settings.device))
    except ScoringError as error:
        return Check("device", "failed", str(error), "set device to auto or cpu")


def check_model(settings: Settings) -> Check:
    """The weights are on this machine and load, and a classifier's labels mean policies that are there."""
    try:
        policies = read_policies(settings.policies_dir)
        judged_policies(settings.scorer, policies, reads="text")
        return Check("model", "ok", models().describe_model(settings, policies))
    except (ScoringError, SettingsError, LabelingError) as error:
        return Check("model", "failed", str(error), "install the weights, or point encoder / scorer at a local folder")


def check_media(settings: Settings) -> Check:
    """Media can be read from where the settings say: the folder is there, each host is at an address that may be asked,
    and the images that are held at once fit the machine's memory."""
    try:
        MediaReader(settings.media_dir, settings.media_hosts).close()
    except LabelingError as error:
        return Check("media", "failed", str(error), "mend the setting that is named")
    told = [f"below {settings.media_dir}"] if settings.media_dir else []
    found = ", ".join(["data: URIs", *told, *settings.media_hosts]) + f", up to {settings.media_max_bytes} bytes each"
    amiss = [fault for entry in settings.media_hosts if (fault := _host_fault(entry))]
    if amiss:
        return Check("media", "warning", f"{found}; {'; '.join(amiss)}", "mend media_hosts, or the network's names")
    held, memory = IMAGES_HELD * settings.media_max_bytes, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if held > memory / 2:
        told_held = f"{found}; {IMAGES_HELD} are held at once, {held / 1024**3:.1f} of {memory / 1024**3:.1f} GiB"
        return Check("media", "warning", told_held, "set media_max_bytes lower")
    return Check("media", "ok", found)


def _host_fault(entry: str) -> str:
    """Why nothing could be fetched from a host of ``media_hosts``, or nothing; no connection is made."""
    host = parse_host(entry)
    try:
        addresses = look_up(host.name, host.port or HTTPS_PORT)
    except OSError as error:
        return f"{entry} has no address here ({error.strerror or error})"
    for address in addresses:
        if why := refusal(address, private=host.private):
            return f"{entry} is at {address}, which {why}"
    return ""


def check_port(settings: Settings) -> Check:
    """The service's port is free, or Goldfold itself listens there."""
    where = f"{settings.host}:{settings.port}"
    try:
        socket.create_connection((settings.host, settings.port), timeout=PORT_TIMEOUT_S).close()
    except ConnectionRefusedError:
        return Check("port", "ok", f"{where} is free")
    except OSError as error:
        return Check("port", "failed", f"{where}: {error.strerror or error}", "set host to an address of this machine")
    return Check("port", "warning", f"{where} is in use", "fine if that is Goldfold; else set port to another one")


def check_studio(settings: Settings) -> Check:
    """Label Studio answers, takes the token, and is a version this bridge was tested with."""
    token = settings.studio_token.get_secret_value()
    if not token:
        return Check("label studio", "failed", "studio_token is not set", "set GOLDFOLD_STUDIO_TOKEN")
    try:
        client = StudioClient(settings.studio_url, token, timeout_s=STUDIO_TIMEOUT_S, way=way(settings))
    except LabelingError as error:
        return Check("label studio", "failed", str(error), "mend the setting that is named")
    try:
        client.whoami()  # the version is told to anybody, the account only to its token
        version = client.version()
    except LabelingError as error:
        return Check("label studio", "failed", str(error), f"start it, or set studio_url (now {settings.studio_url})")
    finally:
        client.close()
    found = f"{urlsplit(settings.studio_url).netloc}: version {version}"
    if not version.startswith(STUDIO_VERSION):
        return Check("label studio", "warning", found, f"this bridge is tested with {STUDIO_VERSION}.x")
    return Check("label studio", "ok", found)


def check_mirror(settings: Settings) -> Check:
    """The mirror of the registry, where one is set, answers and is up to date. Nothing waits for it."""
    if settings.mlflow_url is None:
        return Check("mirror", "ok", "none (mlflow_url)")
    where = urlsplit(settings.mlflow_url).netloc
    cure = "check mlflow_url and mlflow_token, then run goldfold models mirror"
    try:
        with Mlflow(settings.mlflow_url, settings.mlflow_token.get_secret_value(), STUDIO_TIMEOUT_S) as server:
            server.ping()
        ledger = open_ledger(settings.ledger_url)
    except LabelingError as error:
        return Check("mirror", "warning", str(error), cure)
    try:
        waiting = behind(ledger, settings.mlflow_url)
    finally:
        ledger.close()
    if not waiting:
        return Check("mirror", "ok", f"{where}: up to date")
    errors = sorted({one.row.error for one in waiting if one.row is not None and one.row.error})
    return Check("mirror", "warning", "; ".join([f"{where}: {len(waiting)} models behind", *errors]), cure)
