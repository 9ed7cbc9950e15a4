from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.scorer_names import ScorerName, scorer_names
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from labeling.training import CALIBRATION
from scoring.calibrated import calibrated_version
from scoring.embedding_head import head_scorer_version
from tests.contracts.records import item, model, round_


def test_a_scorer_is_known_by_its_model_and_any_other_by_its_round(tmp_path: Path) -> None:
    ledger, lake = open_ledger(f"sqlite:///{tmp_path}/ledger.db"), LanceLake(tmp_path / "lake")
    lake.append([item(1)])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(2, np.float16)), 2)
    lake.add_columns("embeddings-enc-1", ["item-000001"], {"embedding": vectors})
    made = model("head-1", version="h1", golden_version="1.0.0", metrics={CALIBRATION: {"version": "c1"}})
    ledger.models.add(made)
    images = {"image_scorer": "seer", "image_scorer_version": "s2"}
    ledger.rounds.create(round_(scorer_version="s1", frame={"scorer": "words + head", **images}))
    names = scorer_names(ledger, lake)
    head = head_scorer_version("enc-1", "h1")
    learnt = ScorerName("head-1", "head-1", "1.0.0")
    under = ScorerName("head-1", "head-1", "1.0.0", is_calibrated=True)
    assert names == {
        "s1": ScorerName("words + head"),
        "s2": ScorerName("seer"),
        "h1": learnt,
        head: learnt,
        calibrated_version(head, "c1"): under,
    }
    ledger.close()
