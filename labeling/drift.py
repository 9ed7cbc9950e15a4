"""Have a model's scores moved since it was promoted? By policy, and by policy and language.

Items that were in the lake at promotion are a model's reference window, those that came later the current one.

A head: at promotion its scores become bin counts in the ledger. Both windows are scored anew from kept embeddings,
before any calibration, so calibrating a model is no drift, and neither window needs a scoring run. A text that was read
in windows counts by the mean of them, in both. What a cascade cleared has no embedding and is in neither: to put a
cascade in force, or to lift it, between the windows changes what they hold, and may be told as drift.

A fine-tuned classifier reads texts, which is dear: its windows are the scores that it gave and the lake keeps, under
the one version of its scorer that is in force. So a calibration is no drift here either, once the items are scored
under it; an item that has no such score yet, or was erased, is in neither window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labeling.artefacts import load_artefact
from labeling.drift_sources import Embedded, Kept, Source, parts_of
from labeling.errors import NothingToDo
from labeling.model_records import Model
from labeling.scorebook import Judge
from labeling.store.interfaces import ItemRegistry, Lake, Models
from scoring.drift import FALSE_ALARMS, MIN_WINDOW, Drift, bin_counts, bin_edges, compare
from scoring.head import Head
from selection.hashing import item_hashes

REFERENCE = "reference"  # the key of a model's metrics that holds its reference window
MOST_ITEMS = 200_000  # of a window; of a larger one, those with the smallest hashes
MOST_LANGUAGES = 20  # the most common of the reference; items in others count for their policy only
VERDICTS = ("insufficient", "none", "moderate", "major")  # in rising order


class DriftStores(Protocol):
    """The part of the ledger that drift needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def models(self) -> Models: ...


@dataclass(frozen=True, slots=True)
class DriftReport:
    """``policies`` maps a policy to its cells: "" all its items, else a language. ``undated``: items that came since
    promotion but have no ``created_at``, left out when ``since`` is given. ``verdict``: the gravest of all cells."""

    model_id: str
    model_version: str
    reference_items: int
    reference_at: str
    current_items: int
    undated: int
    since: str | None
    verdict: str
    policies: Mapping[str, Mapping[str, Drift]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, with the false-alarm rate and the least window that the verdicts rest on."""
        told = asdict(self)
        told["policies"] = {
            policy: {"all": cells[""].as_dict(), "languages": {k: d.as_dict() for k, d in cells.items() if k}}
            for policy, cells in self.policies.items()
        }
        return told | {"false_alarms": FALSE_ALARMS, "least_window": MIN_WINDOW}


def record_reference(stores: DriftStores, lake: Lake, model_id: str) -> None:
    """Make the items now in the lake the model's reference window, unless it is the champion and has one.

    A lake without embeddings of the model's encoder leaves it without a window, and ``drift`` says so. Raises NotFound,
    IntegrityError, ModelNotFound (the model's files)."""
    model = stores.models.get(model_id)
    champion = stores.models.champion(model.modality)
    if champion is not None and champion.model_id == model_id and model.metrics.get(REFERENCE):
        return
    head, version = load_artefact(model), lake.snapshot()
    at = datetime.now(UTC).isoformat()
    if not isinstance(head, Head):  # it has scored nothing yet: which items these are is all there is to keep
        stores.models.set_metrics(model_id, {REFERENCE: {"lake_version": version, "at": at}})
        return
    source = Embedded(lake, head)
    ids = _most(source.held(stores.items.ids(version)))
    stores.models.set_metrics(model_id, {REFERENCE: _window(lake, source, ids, version, at)})


def _window(lake: Lake, source: Source, ids: Sequence[str], version: int, at: str) -> dict[str, Any]:
    if not ids:
        return {}
    scores, languages = source.scores(ids), _languages(lake, ids)
    common = [name for name, n in Counter(languages).most_common(MOST_LANGUAGES) if n >= MIN_WINDOW]
    masks = {"": np.ones(len(ids), bool)} | {name: np.array(languages) == name for name in common}
    policies: dict[str, object] = {}
    for place, policy in enumerate(source.policies):
        edges = bin_edges(scores[:, place])
        counts = {name: bin_counts(scores[mask, place], edges).tolist() for name, mask in masks.items()}
        policies[policy] = {"edges": edges.tolist(), "counts": counts}
    return {"items": len(ids), "lake_version": version, "at": at, "policies": policies}


def drift(
    stores: DriftStores,
    lake: Lake,
    model_id: str | None = None,
    since: datetime | None = None,
    scorer_of: Callable[[Model], Judge] | None = None,
) -> DriftReport:
    """Compare what came since promotion (``since``: of that, what was created at or after it) with the reference
    window of a model (default: the champion). ``scorer_of``: the scorer that a fine-tuned model is in. Raises NotFound,
    NothingToDo (no champion, no reference window), IntegrityError, ModelNotFound; ValueError where a fine-tuned one has
    no ``scorer_of``."""
    model = stores.models.champion() if model_id is None else stores.models.get(model_id)
    if model is None:
        raise NothingToDo("no model is the champion yet: promote one first (goldfold promote)")
    source, reference = _looked_at(stores, lake, model, scorer_of)
    old = set(stores.items.ids(int(reference["lake_version"])))
    new = [item_id for item_id in stores.items.ids() if item_id not in old]
    dated, undated = _since(lake, new, since)
    ids = _most(source.held(dated))
    cells = compare(_pairs(lake, source, ids, reference["policies"]))
    by_policy: dict[str, dict[str, Drift]] = {}
    for (policy, language), found in cells.items():
        by_policy.setdefault(policy, {})[language] = found
    return DriftReport(
        model_id=model.model_id,
        model_version=model.version,
        reference_items=int(reference["items"]),
        reference_at=str(reference["at"]),
        current_items=len(ids),
        undated=undated,
        since=None if since is None else since.isoformat(),
        verdict=max((found.verdict for found in cells.values()), key=VERDICTS.index),
        policies=by_policy,
    )


def _looked_at(
    stores: DriftStores, lake: Lake, model: Model, scorer_of: Callable[[Model], Judge] | None
) -> tuple[Source, Mapping[str, Any]]:
    """Where the model's scores come from, and its reference window."""
    reference, artefact = _reference(model), load_artefact(model)
    if isinstance(artefact, Head):
        return Embedded(lake, artefact), reference
    if scorer_of is None:
        raise ValueError(f"model {model.model_id!r} is a fine-tuned one; say which scorer it is in")
    source, version = Kept(lake, artefact, scorer_of(model)), int(reference["lake_version"])
    ids = _most(source.held(stores.items.ids(version)))
    if not ids:
        raise NothingToDo(
            f"model {model.model_id!r} has scored none of the items that were there when it was promoted, as it scores "
            "now; run the score job first (goldfold score)"
        )
    return source, _window(lake, source, ids, version, str(reference["at"]))


def _reference(model: Model) -> Mapping[str, Any]:
    reference = model.metrics.get(REFERENCE)
    if not isinstance(reference, dict) or not reference:
        raise NothingToDo(
            f"model {model.model_id!r} has no reference window: it gets one when it is promoted while the lake holds "
            f"scored items (goldfold score, then goldfold promote {model.model_id})"
        )
    return reference


def _pairs(
    lake: Lake, source: Source, ids: Sequence[str], policies: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, ...], tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(policy, language) -> counts of the reference and of ``ids``."""
    scores, languages = source.scores(ids), np.array(_languages(lake, ids), dtype=object)
    pairs: dict[tuple[str, ...], tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}
    for policy, kept in policies.items():
        column, edges = scores[:, source.policies.index(policy)], np.array(kept["edges"], np.float64)
        for language, counts in kept["counts"].items():
            chosen = column if not language else column[languages == language]
            pairs[policy, language] = np.array(counts, np.int64), bin_counts(chosen, edges)
    return pairs


def _most(found: Sequence[str]) -> list[str]:
    """All of them, or the ``MOST_ITEMS`` with the smallest hashes, whatever order they came in."""
    if len(found) <= MOST_ITEMS:
        return list(found)
    chosen = np.argsort(item_hashes(found), kind="stable")[:MOST_ITEMS]
    return [found[place] for place in np.sort(chosen)]


def _languages(lake: Lake, ids: Sequence[str]) -> list[str]:
    return [
        str(name or "und") for part in parts_of(ids) for name in lake.take(part, ["language"])["language"].to_pylist()
    ]


def _since(lake: Lake, ids: Sequence[str], since: datetime | None) -> tuple[list[str], int]:
    """Those created at or after ``since``, and how many have no time."""
    if since is None:
        return list(ids), 0
    kept, undated = [], 0
    for part in parts_of(ids):
        for item_id, at in zip(part, lake.take(part, ["created_at"])["created_at"].to_pylist(), strict=True):
            if at is None:
                undated += 1
            elif at >= since:
                kept.append(item_id)
    return kept, undated
