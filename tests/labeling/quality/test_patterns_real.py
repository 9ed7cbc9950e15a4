from __future__ import annotations

import gzip
import json

from benchmarks.patterns import hatecheck
from labeling.quality.attribution import Culprit, attribute
from labeling.quality.patterns import mine
from tests.realdata import real_set


def test_hatechecks_annotators_have_patterns_that_hold_over_its_functional_tests() -> None:
    with gzip.open(real_set("hatecheck.jsonl.gz"), "rt", encoding="utf-8") as lines:
        table = hatecheck([json.loads(line) for line in lines])
    found = mine(table)
    print(f"{len(table)} annotations, {found.tests} cells, {found.standing} stand, {len(found.patterns)} patterns")
    assert found.patterns
    first = found.patterns[0]
    assert first.q < 1e-6
    assert first.deff >= 1
    told = attribute(table, first, found.patterns[1:])
    assert told.culprit in (Culprit.PERSON, Culprit.CONTENT, Culprit.EVERYONE, Culprit.UNKNOWN)
    assert {"language", "team", "shift", "tool"} <= set(told.unseen)
