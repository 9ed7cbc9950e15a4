from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from labeling.policies import read_policies
from labeling.scorebook import embedding_group, score_group, vectors
from tests.api.cli.conftest import Terminal
from tests.scoring.stages import made_probabilities, made_texts

TEXTS = made_texts(900)


@pytest.fixture
def stocked(goldfold: Terminal) -> Terminal:
    """An installation whose items all have full scores: those of ``made_probabilities`` for one policy."""
    lines = [json.dumps({"external_id": f"post-{n}", "text": text}) for n, text in enumerate(TEXTS)]
    assert goldfold("ingest", goldfold.file("posts.jsonl", "\n".join(lines))).code == 0
    with goldfold.opened() as site:
        full = site.full_scorer()
        ids = site.lake.ids()
        texts = site.lake.take(ids, ["text"])["text"].to_pylist()
        given = made_probabilities(texts, len(full.policies))
        given[:, 1:] = 0.01
        site.lake.add_columns(embedding_group(full), ids, {"embedding": vectors(np.ones((len(ids), 2), np.float16))})
        columns = {policy: pa.array(given[:, j]) for j, policy in enumerate(full.policies)}
        site.lake.add_columns(score_group(full), ids, columns)
    return goldfold


@pytest.mark.slow
def test_fit_and_status(stocked: Terminal) -> None:
    assert "No cascade has been fitted" in stocked("cascade", "status").out
    dry = stocked("cascade", "fit", "--loss", "0.1", "--dry-run", "--json").json
    assert dry["folder"] is None
    said = stocked("cascade", "fit", "--loss", "0.1")
    assert said.code == 0, said.err
    assert "held-out positives lost" in said.out
    found = stocked("cascade", "status", "--json").json
    [one] = found["cascades"]
    assert found["setting"] is None
    assert one["fits"]
    assert one["report"]["loss_upper"] <= 0.1
    assert one["report"]["cleared"] > 0.2
    assert one["drift"]["verdict"] == "insufficient"
    assert "Trickle: 0 items" in stocked("cascade", "status").out
    with stocked.opened() as site:
        assert site.ledger.audit.latest()[0]["action"] == "cascade.fit"
        assert one["report"]["policies"].keys() == read_policies(site.settings.policies_dir).keys()


def test_a_bound_that_cannot_be_shown_is_one_line(stocked: Terminal) -> None:
    said = stocked("cascade", "fit", "--json")
    assert said.code == 1
    assert said.json["error"] == "loss-too-high"
    assert "598 positives" in said.json["detail"]


def test_an_empty_lake_is_one_line(goldfold: Terminal) -> None:
    said = goldfold("cascade", "fit")
    assert said.code == 1
    assert "run goldfold score first" in said.err
