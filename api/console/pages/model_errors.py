"""Where a model is wrong, by what the items are about: /console/models/{model_id}/errors. Items go by their ids; words
of content are told to whoever asks for them, and what is sealed to nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.kept import Kept
from api.console.page import Ask, EngineerAsk, Page
from api.console.pages.golden_grid import DESIGNER
from api.console.pages.model_parts import SHOWN, about, chosen, judged, judging_version, policies_of
from labeling.artefacts import load_artefact
from labeling.golden.vectors import LakeVectors
from labeling.insights.model_errors import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    OPEN,
    ModelError,
    ModelErrors,
    embedding_group,
    model_errors,
)
from labeling.model_records import Model

router = APIRouter(prefix="/models")
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE)
AGAIN = {"budget": "50", "lane_uncertain": "0.5", "lane_relabel": "0.5"}  # a round half of second looks


@router.get("/{model_id}/errors")
def errors(
    ask: EngineerAsk,
    model_id: str,
    policy: str = "",
    partition: str = "dev",
    kind: str = "",
    cluster: str | None = None,
    named: bool = False,
    golden: str = "",
    skip: int = 0,
) -> Response:
    """False positives and negatives of one policy, all or of one cluster, those farthest from the line first."""
    model = ask.goldfold.ledger.models.get(model_id)
    version = judging_version(ask, model, golden)
    seen = judged(ask, model, version)
    policy = chosen(policy, policies_of(seen))
    found: Kept[Any] = seen
    if policy:
        found = _found(ask, model, policy, partition, version, named=named)
    listed = list[ModelError]()
    if policy and found.value is not None:  # the page has some of them, and is not told all
        listed, found = list(found.value.errors), Kept(replace(found.value, errors=()), found.at)
        if named:
            where = {"where": "console", "words_of": f"{policy}, {partition}, golden {version}"}
            ask.goldfold.ledger.audit.add(ask.actor, "content.shown", model_id, where)
    listed = [one for one in listed if kind in ("", one.kind) and cluster in (None, one.cluster)]
    start = max(skip, 0)
    data: dict[str, Any] = {
        **about(ask, model, version),
        "found": found,
        "asked": {
            "policy": policy,
            "partition": partition,
            "kind": kind,
            "cluster": cluster,
            "named": named,
            "golden": version,
        },
        "policies": sorted(load_artefact(model).policies),
        "partitions": [str(each) for each in OPEN],
        "kinds": KINDS,
        "wrong": listed[start : start + SHOWN],
        "relabel": f"{DESIGNER}?{urlencode({'policies': policy, **AGAIN})}",
        "all": len(listed),
        "skip": start,
        "shown": SHOWN,
    }
    return ask.show(Page(f"Model {model_id}: errors", "model_errors.html", data))


def _found(ask: Ask, model: Model, policy: str, partition: str, version: str, *, named: bool) -> Kept[ModelErrors]:
    goldfold = ask.goldfold

    def compute() -> ModelErrors:
        group = embedding_group(goldfold.lake, load_artefact(model).encoder_version)
        return model_errors(
            goldfold.ledger.golden,
            goldfold.contender(model, model.modality),
            LakeVectors(goldfold.lake, group),
            policy=policy,
            version=version,
            partition=partition,
            named=named,
        )

    return ask.kept(("model errors", model.model_id, policy, partition, version, named), compute)
