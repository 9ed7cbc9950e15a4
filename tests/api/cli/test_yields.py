from __future__ import annotations

from api.cli.yields import COLUMNS, notes, rows
from labeling.quality.forecast import forecast
from labeling.quality.intervals import proportion
from labeling.quality.lift import label_lift
from labeling.yields import LaneYield, Yields


def lane(name: str, hits: int, n: int, random: tuple[int, int] | None, withheld: int = 0) -> LaneYield:
    lift = None if random is None else label_lift(hits, n, *random, 0.5)
    share = proportion(hits, n)
    return LaneYield(name, "", n + withheld, n, withheld, share, share, share, lift)


def test_each_figure_has_its_interval_and_too_few_have_no_value() -> None:
    lanes = (lane("random", 5, 50, None), lane("uncertain", 40, 100, (5, 50)), lane("risk", 2, 10, (5, 50), withheld=3))
    told = Yields(("r1",), lanes, forecast([], 500), 0.5)
    random, uncertain, risk = (dict(zip(COLUMNS, row, strict=True)) for row in rows(told))
    assert random["violate"] == "10.0% [4.3%, 21.4%]"
    assert (random["policy"], random["lift"], random["saved"]) == ("all", "-", "-")
    assert str(uncertain["lift"]).startswith("4.00 [")
    assert str(uncertain["random's labels"]).startswith("400 [")
    assert str(uncertain["saved"]).startswith("150 [")
    assert str(risk["lift"]).startswith("insufficient [")
    assert list(notes(told)) == [
        "3 answers of the partitions sealed and anchor are withheld",
        "Forecast: refused: a curve needs 3 models of different numbers of labels with scores on dev, and has 0",
    ]


def test_second_looks_are_counted() -> None:
    share = proportion(4, 20)
    again = LaneYield("relabel", "", 22, 20, 0, share, share, share, None, proportion(3, 20))
    (row,) = rows(Yields(("r1",), (again,), forecast([], 500)))
    assert dict(zip(COLUMNS, row, strict=True))["lift"] == "-"
    assert next(iter(notes(Yields(("r1",), (again,), forecast([], 500))))) == (
        "Second looks: 17 confirmed a label, 3 changed it"
    )


def test_an_end_that_cannot_be_given_is_a_question_mark() -> None:
    (row,) = rows(Yields(("r1",), (lane("uncertain", 40, 100, (0, 50)),), forecast([], 500)))
    assert str(dict(zip(COLUMNS, row, strict=True))["lift"]).endswith(", ?]")
