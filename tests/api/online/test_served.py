from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from api.online.served import served
from labeling.model_records import Model, ModelState
from scoring.head import Head
from tests.api.site import WordGoldfold, settings


def test_it_follows_the_champion(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path))
    cold = served(goldfold)
    assert (cold.model, cold.version) == (None, goldfold.scorer().version)
    assert served(goldfold).scorer is cold.scorer
    promote(goldfold)
    warm = served(goldfold)
    assert warm.model is not None
    assert (warm.model.model_id, warm.model.golden_version) == ("one", "1.2.0")
    assert warm.version == goldfold.scorer().version != cold.version
    scores = warm.score(["a"], ["vermin"])
    assert (scores.ids, scores.policies) == (("a",), goldfold.prototypes.policies)
    goldfold.close()


def promote(goldfold: WordGoldfold) -> None:
    """Make a champion, trained on 1.2.0, that says the opposite of the prototypes."""
    whole = goldfold.prototypes
    head = Head(
        whole.policies,
        -whole.weights,
        whole.bias,
        whole.platt,
        ("trained",) * len(whole.policies),
        whole.encoder_version,
    )
    head.save(goldfold.models_dir / "one")
    folder, now = str(goldfold.models_dir / "one"), datetime.now(UTC)
    goldfold.ledger.models.add(Model("one", head.version, "1.2.0", folder, ModelState.CANDIDATE, {}, now))
    goldfold.ledger.models.promote("one", "lea", over=None)


def test_a_classifier_is_no_model_of_ours(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path, scorer="toxic-bert"))
    promote(goldfold)
    assert served(goldfold).model is None
    goldfold.close()
