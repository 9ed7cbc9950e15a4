"""The map of the lake: its texts by their embeddings in a plane, with gold and picks on it: /console/map.

It is drawn by a job and kept; a page only colours it. What a browser gets are places and row numbers, no ids; a click
asks for the row. Sealed gold has a place and no name.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import anyio
import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sse_starlette.sse import EventSourceResponse

from api.console.charts import Chart, Series
from api.console.kept import Kept
from api.console.page import Ask, EngineerAsk, Page, fragment
from api.ids import new_id
from api.jobs.errors import JobUnknown
from api.jobs.records import ENDED, Job
from labeling.errors import Conflict, NotFound, StoreError
from labeling.insights.embedding_map import GROUPS, EmbeddingMap, Painted, kept_map, paint

router = APIRouter(prefix="/map")
PATH, KIND = "/console/map", "map"
POLL_S = 0.5
NAMES = 20  # points whose names are told at once
SPAN = 64_000  # what the longer side of a map is told as, in whole numbers of 16 bits with a sign


@router.get("")
def show(ask: EngineerAsk, round: str = "") -> Response:
    """The map, or how to draw it."""
    if round:
        ask.goldfold.ledger.rounds.get(round)
    job, problem, painted = _job(ask), "", None
    try:
        painted = _painted(ask, round)
    except StoreError as error:
        problem = str(error)
    drawn = None if painted is None or painted.value is None else painted.value
    charts = [_chart(drawn)] if drawn is not None and "chart" in ask.request.query_params else []
    data = {
        "map": None if painted is None else Kept(None if drawn is None else _told(drawn), painted.at, painted.error),
        "round": round,
        "points": f"{PATH}/points?round={quote(round)}",
        "names": f"{PATH}/names?made=",
        "picture": f"{PATH}?{f'round={quote(round)}&' if round else ''}chart=map&as=",
        "job": job,
        "runs": job is not None and job.state not in ENDED,
        "problem": problem,
    }
    return ask.show(Page(f"Map of round {round}" if round else "Map", "map.html", data, charts))


@router.post("")
def draw(ask: EngineerAsk) -> Response:
    """Have it drawn anew; one that is being drawn is waited for."""
    job = _job(ask)
    if job is None or job.state in ENDED:
        ask.jobs.submit(KIND, new_id(KIND), {})
    return ask.back(PATH, "The map is being drawn.")


@router.get("/points")
def points(ask: EngineerAsk, round: str = "") -> Response:
    """The places by group, as numbers of 16 bits in base64, with the row of each; 202 while they are on their way."""
    painted = _painted(ask, round)
    if painted is None:
        raise NotFound("no map is drawn yet: draw one on /console/map")
    if painted.error is not None:
        raise painted.error.with_traceback(None)
    if painted.value is None:
        return JSONResponse({"groups": []}, status_code=202)
    made = _stamp(painted.value.map)
    return JSONResponse({"item": f"{PATH}/item?made={made}&row=", "made": made, "groups": _groups(painted.value)})


@router.get("/item")
def item(ask: EngineerAsk, made: int, row: int) -> Response:
    """To the page of the item behind a point."""
    names = _named(ask, made)
    if not 0 <= row < len(names) or not names[row]:
        raise NotFound("this point has no name: it is sealed gold, or an item that is gone")
    return RedirectResponse(f"/console/items/{quote(names[row], safe='')}", status_code=303)


@router.get("/names")
def names(ask: EngineerAsk, made: int, row: Annotated[list[int], Query(max_length=NAMES)]) -> Response:
    """What the items behind some points are called, those that have a name."""
    known = _named(ask, made)
    return JSONResponse({"names": {str(each): known[each] for each in row if 0 <= each < len(known) and known[each]}})


@router.get("/events")
async def follow(ask: EngineerAsk) -> EventSourceResponse:
    """How far the job that draws is, as a piece of its page, until it ends."""

    async def events() -> AsyncIterator[dict[str, str]]:
        last = None
        while True:
            job = await anyio.to_thread.run_sync(_job, ask)
            said = fragment("map_progress.html", job=job)
            if said != last:
                yield {"event": "progress", "data": said}
            last = said
            if job is None or job.state in ENDED:
                yield {"event": "end", "data": "" if job is None else job.state}
                return
            await anyio.sleep(POLL_S)

    return EventSourceResponse(events())


def _job(ask: Ask) -> Job | None:
    """The newest job that draws the map, of the last ones."""
    try:
        return next((job for job in ask.jobs.all() if job.kind == KIND), None)
    except JobUnknown:  # its record was dropped meanwhile
        return None


def _named(ask: Ask, made: int) -> Sequence[str]:
    """The names behind the points of a drawing, by row. Raises NotFound for one of before, Conflict."""
    kept = kept_map(ask.goldfold.cache_dir)
    if kept is None or _stamp(kept) != made:
        raise NotFound("the map was drawn anew: load its page again")
    painted = _painted(ask, "")
    if painted is None or painted.value is None:
        raise Conflict("the map's colours are being computed: try again in a moment")
    return painted.value.names


def _painted(ask: Ask, round_id: str) -> Kept[Painted] | None:
    """Raises StoreError for a map that is damaged."""
    kept = kept_map(ask.goldfold.cache_dir)
    if kept is None:
        return None
    return ask.kept(("map", kept.made_s, round_id), lambda: paint(ask.goldfold.ledger, kept, round_id))


def _told(painted: Painted) -> dict[str, Any]:
    made = painted.map
    return {
        "points": len(made.ids),
        "of": made.of,
        "encoder": made.encoder,
        "lake_version": made.lake_version,
        "seed": made.seed,
        "drawn_at": datetime.fromtimestamp(made.made_s, UTC),
        "groups": painted.counts,
    }


def _groups(painted: Painted) -> list[dict[str, Any]]:
    places = painted.map.places
    low, high = places.min(axis=0), places.max(axis=0)
    scale = SPAN / max(float((high - low).max()), 1e-9)
    whole = np.round((places - (low + high) / 2) * scale).astype("<i2")
    found = []
    for number, name in enumerate(GROUPS):
        rows = np.flatnonzero(painted.group == number)
        if len(rows):
            named = [bool(painted.names[row]) for row in rows]
            links = _packed(rows.astype("<i4")) if any(named) else ""
            found.append({"name": name, "n": len(rows), "places": _packed(whole[rows]), "rows": links})
    return found


def _packed(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _stamp(made: EmbeddingMap) -> int:
    """Names a drawing: row numbers are its own."""
    return round(made.made_s * 1000)


def _chart(painted: Painted) -> Chart:
    series = []
    for number, name in enumerate(GROUPS):
        places = painted.map.places[painted.group == number]
        if len(places):
            series.append(Series(name, places[:, 0].tolist(), places[:, 1].tolist()))
    return Chart("map", "Map of the lake", "points", "", "", series)
