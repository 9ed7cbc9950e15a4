"""From the ledger to what MLflow shows of a model: names, figures, hashes and counts.

Of sealed and anchor gold there are row counts, and the gate's verdict; no figure, no hash, no item of theirs.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from labeling.artefacts import kind_of
from labeling.drift import REFERENCE
from labeling.golden.manifest import merkle_root
from labeling.golden.manifest import rows as canonical_rows
from labeling.mirror.records import Portrait
from labeling.model_records import GateRow, Model, ModelEvent, ModelState
from labeling.records import GoldenItem, GoldenVersion, Partition

HASHED = (Partition.TRAIN, Partition.CALIBRATION, Partition.DEV)
FIGURES = ("auprc", "precision", "recall")
TAG_CHARS = 4000
_REFUSED = re.compile(r"[^A-Za-z0-9_. -]")


class GoldenNow(Protocol):
    """The part of the ledger that a portrait reads."""

    def version(self, version: str) -> GoldenVersion: ...
    def members(self, version: str) -> list[GoldenItem]: ...
    def leaves(self, version: str) -> dict[tuple[str, str], str]: ...


def digest_of(model: Model, moves: Sequence[ModelEvent], gate: GateRow | None) -> str:
    """SHA-256 (hex) of all that a portrait depends on and that can change; cheap."""
    metrics = {key: value for key, value in model.metrics.items() if key != REFERENCE}
    about = [model.state, model.version, model.artefact, model.family, model.golden_version, metrics]
    told = [*about, [asdict(move) for move in moves[-1:]], "" if gate is None else gate.gate_id]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def portrait(golden: GoldenNow, model: Model, moves: Sequence[ModelEvent], gate: GateRow | None) -> Portrait:
    """A model as it stands. ``moves``: its own, oldest first; ``gate``: the newest verdict on it. Raises NotFound for
    a golden version that is not there."""
    version = golden.version(model.golden_version)
    members, leaves = golden.members(version.version), golden.leaves(version.version)
    created_at_ms = int(model.created_at.timestamp() * 1000) if model.created_at else 0
    params = {
        "model_id": model.model_id,
        "kind": kind_of(model),
        "weights_version": model.version,
        "artefact_sha256": model.artefact or "not recorded",
        "golden_version": version.version,
        "golden_merkle_root": version.merkle_root,
    }
    tags = {
        "goldfold.model_id": model.model_id,
        "goldfold.family": model.family or model.model_id,
        "goldfold.stage": model.state.value,
        **_partitions(members, leaves),
        **_policies(members),
        **_history(moves, gate),
        **_licences(model.metrics),
    }
    return Portrait(
        model_id=model.model_id,
        name=name_of(model),
        description=f"Mirror of Goldfold's registry: {model.family or model.model_id}. The ledger is the truth.",
        created_at_ms=created_at_ms,
        params=params,
        metrics=_metrics(model.metrics),
        tags={key: value[:TAG_CHARS] for key, value in tags.items()},
        alias="champion" if model.state is ModelState.CHAMPION else "",
    )


def name_of(model: Model) -> str:
    """The registered model's name: MLflow refuses "/" and ":", and two families must not share one name."""
    family = model.family or model.model_id
    plain = _REFUSED.sub("-", family)
    return f"goldfold {plain}" + ("" if plain == family else f" {hashlib.sha256(family.encode()).hexdigest()[:8]}")


def _partitions(members: Sequence[GoldenItem], leaves: Mapping[tuple[str, str], str]) -> dict[str, str]:
    tags = {}
    for partition in Partition:
        rows = [row for row in members if row.partition is partition]
        tags[f"golden.{partition}.rows"] = str(len(rows))
        if partition in HASHED and rows:
            tags[f"golden.{partition}.merkle_root"] = merkle_root(canonical_rows(rows, leaves))
    return tags


def _policies(members: Sequence[GoldenItem]) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for row in members:
        versions.setdefault(row.policy_id, set()).add(row.policy_version)
    return {f"policy.{policy_id}": ", ".join(sorted(found)) for policy_id, found in sorted(versions.items())}


def _history(moves: Sequence[ModelEvent], gate: GateRow | None) -> dict[str, str]:
    """Kinds and places of moves, not their reasons, which people write."""
    tags = {} if gate is None else {"goldfold.gate": gate.gate_id, "goldfold.gate_verdict": str(gate.body["verdict"])}
    if moves:
        tags["goldfold.moved_at"] = moves[-1].at.isoformat()
        tags["goldfold.moves"] = ", ".join(f"{move.kind} {move.before} to {move.after}" for move in moves)
    return tags


def _licences(metrics: Mapping[str, Any]) -> dict[str, str]:
    policies = metrics.get("policies", {})
    return {f"dev.{policy}.licence": str(said["licence"]) for policy, said in sorted(policies.items())}


def _metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What ``evaluate`` last found on dev: value, interval and n of each figure."""
    told: dict[str, float] = {}
    for policy, said in metrics.get("policies", {}).items():
        for figure in FIGURES:
            for part in ("value", "low", "high", "n"):
                found = said[figure][part]
                if isinstance(found, (int, float)) and math.isfinite(found):
                    told[f"dev.{policy}.{figure}.{part}"] = float(found)
    return told
