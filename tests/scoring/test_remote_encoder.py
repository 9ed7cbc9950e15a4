from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring.errors import RemoteRefused
from scoring.remote import Reply
from scoring.remote_encoder import RemoteEncoder
from tests.scoring.service import DIMENSION, FORBIDDEN, Service, caller


def test_vectors_are_unit_vectors_in_the_order_asked() -> None:
    service = Service()  # answers with its rows turned round, each with its index
    encoder = RemoteEncoder(caller(service, batch=2), "emb")
    assert encoder.dimension == DIMENSION
    texts = ["one", "two", "three", "four", "five"]
    found = encoder.encode(list("abcde"), texts)
    assert found.ids == tuple("abcde")
    assert found.vectors.dtype == np.float16
    for text, vector in zip(texts, found.vectors, strict=True):
        raw = np.array(service.embedded(text)["embedding"])
        np.testing.assert_allclose(vector, raw / np.linalg.norm(raw), atol=1e-3)


def test_bad_texts_fail_by_id() -> None:
    found = RemoteEncoder(caller(Service(), batch=4), "emb").encode(["a", "b", "c"], ["fine", "", FORBIDDEN])
    assert found.ids == ("a",)
    assert [failure.item_id for failure in found.failures] == ["b", "c"]


def test_the_version_names_model_dimension_and_cut() -> None:
    def version(service: Service, **more: Any) -> str:
        return RemoteEncoder(caller(service), "emb", **more).version

    assert version(Service()) == version(Service())
    assert len({version(Service()), version(Service(model="other")), version(Service(), max_chars=5)}) == 3


def test_a_dimension_is_asked_for() -> None:
    service = Service()
    RemoteEncoder(caller(service), "emb", dimensions=4)
    assert service.asked[0][1]["dimensions"] == 4


@pytest.mark.parametrize(
    "rows",
    [
        [{"embedding": "words"}],
        [{"embedding": [1.0, "x"]}],
        [{}],
        [{"embedding": [1.0]}],
        [{"index": "x", "embedding": [1.0]}],
        [{"index": float("inf"), "embedding": [1.0]}],
        [{"embedding": [10**400] * 8}],
    ],
)
def test_an_answer_of_another_form_is_refused(rows: list[Any]) -> None:
    service = Service()
    encoder = RemoteEncoder(caller(service), "emb")
    service.faults = [Reply(200, {"model": "mod-1", "data": rows})]
    with pytest.raises(RemoteRefused):
        encoder.encode(["a"], ["words"])


def test_a_refused_probe_and_another_model_are_said() -> None:
    with pytest.raises(RemoteRefused, match="harmless"):
        RemoteEncoder(caller(Service(faults=[Reply(422, {})])), "emb")
    with pytest.raises(RemoteRefused, match="shape"):
        RemoteEncoder(caller(Service(faults=[Reply(200, {"data": [{"embedding": []}]})])), "emb")
    service = Service()
    encoder = RemoteEncoder(caller(service), "emb")
    service.model = "mod-9"
    with pytest.raises(RemoteRefused, match="mod-9"):
        encoder.encode(["a"], ["words"])
