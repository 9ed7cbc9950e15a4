from __future__ import annotations

from pathlib import Path

from labeling.studio.findings import CURES, OUTCOMES, ROWS, Findings, Found

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "bridge.md"


def test_each_finding_has_one_outcome_and_the_document_tells_it() -> None:
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    told = {row[0]: (row[2].strip(" |"), row[3].strip("` |") if len(row) > 3 else "") for row in rows if len(row) > 2}
    for found in Found:
        assert told[found] == (OUTCOMES[found], CURES.get(found, "")), found


def test_counts_are_exact_and_rows_bounded() -> None:
    findings = Findings(3)
    findings.add_all(Found.TASK_DELETED, [f"t{n}" for n in range(ROWS + 5)])
    findings.add(Found.TWINS, "t", 9, "twice")
    assert (findings.counts[Found.TASK_DELETED], findings.counts[Found.TWINS], len(findings.rows)) == (
        ROWS + 5,
        1,
        ROWS,
    )
    assert findings.rows[0].row() == {
        "found": "task deleted",
        "project_id": 3,
        "task_id": "t0",
        "studio_task_id": None,
        "detail": "",
        "outcome": "queued again; its answers stay",
        "cure": "",
    }
