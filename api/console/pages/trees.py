"""A policy's decision tree, and gold replayed through it: /console/policies/{policy_id}/tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import Response

from api import sops
from api.console.actors import unnamed
from api.console.charts import Chart
from api.console.formats import policy as policy_words
from api.console.forms import Sent, file_of
from api.console.page import Ask, EngineerAsk, Page, ViewerAsk
from api.console.pages.policies import rooms
from api.console.series import basis_of, of_figures
from api.uploads import Upload
from labeling.errors import InvalidInput, NotFound
from labeling.insights.policy_text import reading_of_step
from labeling.policy_publish import history_of
from labeling.sop.lint import Remark
from labeling.sop.outline import outline
from labeling.sop.tree import Sop
from labeling.sop.walks import read_walks

router = APIRouter(prefix="/policies")
SUFFIXES = (".csv", ".jsonl", ".parquet", ".json")
Json = dict[str, Any]
DOWNLOADS = {
    "form": "form for Label Studio (XML)",
    "prompt": "prompt (text)",
    "guide.html": "guide (HTML)",
    "guide.pdf": "guide (PDF)",
}


@router.get("/{policy_id}/tree")
def tree(ask: ViewerAsk, policy_id: str, sop: str = "") -> Response:
    """The tree, each question with what the newest replay that was kept says of it, and lint's remarks."""
    goldfold = ask.goldfold
    history_of(goldfold.ledger, policy_id)
    mine = {name: one for name, one in sops.sops(goldfold).items() if one.policy == policy_id}
    if sop and sop not in mine:
        raise NotFound(f"sop {sop!r} is no tree of {policy_id} (known: {', '.join(mine) or 'none'})")
    chosen = mine.get(sop) or next(iter(mine.values()), None)
    data: Json = {**rooms(ask, policy_id), "trees": list(mine), "sop": chosen, "path_of_tree": _path(policy_id)}
    if chosen is None:
        return ask.show(Page(f"{policy_words(policy_id)}: decision tree", "tree.html", data | _NOTHING))
    replayed = _replayed(ask, chosen)
    remarks = ask.kept(("tree.lint", chosen.tree_hash), lambda: _grouped(sops.lint_sop(goldfold, chosen)))
    steps = {
        one["step"]: one | {"reading": reading_of_step(one["verdict"])} for one in (replayed or {}).get("steps", ())
    }
    data |= {"roots": outline(chosen), "remarks": remarks, "replayed": replayed, "steps": steps}
    data |= {
        "names": _names(ask, steps.values()),
        "downloads": {kind: DOWNLOADS.get(kind, kind) for kind in sops.COMPILED},
    }
    return ask.show(Page(f"{policy_words(policy_id)}: decision tree", "tree.html", data, charts=_kept_share(replayed)))


@router.post("/{policy_id}/tree")
async def replay(ask: EngineerAsk, policy_id: str) -> Response:
    """Replay gold through the tree by the answers of a file, and keep what came of it."""
    sent = await file_of(ask.request, ask.goldfold.settings.max_body_bytes)
    if sent is None:
        raise InvalidInput("file: choose the answers, as a table or as Label Studio's JSON export")
    return await run_sync(_replay, ask, policy_id, sent)


_NOTHING: Json = {"roots": [], "remarks": None, "replayed": None, "steps": {}, "names": {}, "downloads": {}}


def _path(policy_id: str) -> str:
    return f"/console/policies/{policy_id}/tree"


def _replay(ask: Ask, policy_id: str, sent: Sent) -> Response:
    sop = sops.sop_of(ask.goldfold, ask.form.get("sop", ""))
    suffix = next((each for each in SUFFIXES if sent.name.endswith(each)), None)
    if suffix is None:
        raise InvalidInput(f"file: {sent.name!r} ends in none of {', '.join(SUFFIXES)}")
    with Upload(f"answers{suffix}", sent.content).as_file() as path:
        walks = read_walks(sop, path)
    told = sops.replay_sop(ask.goldfold, sop, walks, ask.form.get("golden_version", "").strip())
    sops.keep_replay(ask.goldfold, sop, told, ask.actor)
    worst = f" The step that loses most: {told.worst}." if told.worst else ""
    return ask.back(f"{_path(policy_id)}?sop={sop.id}", f"{told.walks} walks are replayed.{worst}")


def _replayed(ask: Ask, sop: Sop) -> Json | None:
    """The newest replay of the tree as it is now; None where none is kept."""
    try:
        return dict(unnamed(ask, sops.kept_replay(ask.goldfold, sop)))
    except NotFound:
        return None


def _grouped(remarks: Sequence[Remark]) -> list[Json]:
    """Lint's remarks, each said once with all places that it is about."""
    found: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        found.setdefault((remark.level.value, remark.message), []).append(remark.where)
    return [{"level": level, "message": message, "where": places} for (level, message), places in found.items()]


def _names(ask: Ask, steps: Any) -> dict[str, str]:
    """External ids of items that were lost, by item id; those that are gone have none."""
    lost = sorted({item_id for step in steps for item_id in step["lost"]})
    return {item_id: item.external_id for item_id, item in ask.goldfold.ledger.items.by_id(lost).items()}


def _kept_share(replayed: Json | None) -> list[Chart]:
    if not replayed:
        return []
    names, shares = [step["step"] for step in replayed["steps"]], [step["kept"] for step in replayed["steps"]]
    title = "Share of walks that each question keeps on the way to gold"
    return [
        Chart(
            "kept",
            title,
            "points",
            "step",
            "share kept",
            [of_figures("gold in reach", names, shares)],
            y_range=(0, 1),
            unit="share",
            basis=basis_of(shares),
        )
    ]
