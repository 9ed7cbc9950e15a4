"""How fluid the console's map is with 100,000 points: milliseconds a frame while it is dragged, in headless Chromium.

The points are made (``TOPICS`` clouds). The console's ``map.js`` and Plotly's ``scattergl``, which the console's
policy forbids since it compiles text into code, draw the same ones in one browser, one after the other, equally large.
Chromium runs without a GPU: it draws WebGL in software, on the same cores as everything else. Where a frame takes long,
``map.js`` draws every so many a point while the map moves, and all once it stands still; the times have that in them.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from api.console.assets import PLOTLY, asset
from benchmarks.row import Row, hardware

NAMES = ("map_move", "map_frame")
POINTS, TOPICS, SPAN, SPREAD = 100_000, 64, 25_000, 1_500
STEPS, LEFT_PX, TOP_PX = 90, 600, 350
ARGUMENTS = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
OURS = """<!doctype html><style>:root { --line-strong: #8a8478 } canvas { width: 1200px; height: 700px }</style>
<div data-map="/points"></div><script type="module">
import { drawMap } from "/map.js";
await drawMap(document.querySelector("[data-map]"));
window.ready = true;
</script>"""
PEERS = """<!doctype html><div id="plot"></div><script src="/plotly.min.js"></script><script type="module">
const [x, y] = await (await fetch("/places")).json();
await Plotly.newPlot("plot", [{ type: "scattergl", mode: "markers", x, y, marker: { size: 3, opacity: 0.45 } }],
  { width: 1200, height: 700, dragmode: "pan", margin: { l: 0, r: 0, t: 0, b: 0 } });
window.ready = true;
</script>"""
WATCH = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const next = (now) => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""


def rows() -> list[Row]:
    """Both in one browser. Raises ValueError without Chromium."""
    path = shutil.which("chromium")
    if path is None:
        raise ValueError("the benchmark map_frames needs Chromium: apt-get install chromium")
    with _served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        ours, peers = _dragged(browser, f"{url}/ours"), _dragged(browser, f"{url}/peers")
        browser.close()
    on = f"{hardware()}, no GPU"
    return [
        _row(
            NAMES[0],
            "ms a move of the drag, until the browser takes the next",
            sum(ours) / STEPS,
            sum(peers) / STEPS,
            on,
        ),
        _row(NAMES[1], "ms, one frame in twenty takes longer", _late(ours), _late(peers), on),
    ]


def _row(name: str, unit: str, value: float, peer: float, on: str) -> Row:
    return Row(name, value, unit, "Plotly scattergl", peer, peer / value, "100,000 points stay fluid", on)


def _late(taken: list[float]) -> float:
    return float(np.quantile(taken, 0.95))


def _dragged(browser: Browser, url: str) -> list[float]:
    """The frames of a drag, once the points are drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_function("window.ready", timeout=120_000)
    page.wait_for_timeout(1_000)
    page.mouse.move(LEFT_PX, TOP_PX)
    page.mouse.down()
    page.mouse.move(LEFT_PX + 5, TOP_PX)  # what a first move sets up is no frame of a drag
    page.evaluate(WATCH)
    for step in range(STEPS):
        page.mouse.move(LEFT_PX + 5 + 2 * step, TOP_PX + step)
    taken: list[float] = page.evaluate("window.frames_ms.slice(1)")
    page.mouse.up()
    page.close()
    return taken


def _files() -> dict[str, tuple[str, bytes]]:
    """By path: kind and content."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-SPAN, SPAN, (TOPICS, 2))
    places = centres[rng.integers(0, TOPICS, POINTS)] + rng.normal(0, SPREAD, (POINTS, 2))
    whole = places.round().astype("<i2")
    packed = [base64.b64encode(each.tobytes()).decode() for each in (whole, np.arange(POINTS, dtype="<i4"))]
    group: dict[str, Any] = {"name": "pool", "n": POINTS, "places": packed[0], "rows": packed[1]}
    return {
        "/ours": ("text/html", OURS.encode()),
        "/peers": ("text/html", PEERS.encode()),
        "/map.js": ("text/javascript", asset("map.js").plain),
        f"/{PLOTLY}": ("text/javascript", asset(PLOTLY).plain),
        "/points": ("application/json", json.dumps({"item": "/item?row=", "groups": [group]}).encode()),
        "/places": ("application/json", json.dumps(whole.T.tolist()).encode()),
    }


@contextmanager
def _served() -> Iterator[str]:
    files = _files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    for each in rows():
        print(each)
