// Charts, figures on their way, live progress, and content that is shown when asked for. Every page works without this.

const style = getComputedStyle(document.documentElement);
const token = (name) => style.getPropertyValue(name).trim();

// Plotly, which a page that had nothing to draw at first has not loaded.
let loading;
function plotly() {
  loading ??= window.Plotly ? Promise.resolve() : new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = document.querySelector("script[data-plotly]").dataset.plotly;
    script.onload = done;
    script.onerror = fail;
    document.head.append(script);
  });
  return loading;
}

async function draw(place) {
  const id = place.dataset.plot;
  const told = document.querySelector(`script[data-for="${CSS.escape(id)}"]`);
  if (!told) return;
  await plotly();
  const { data, layout } = JSON.parse(told.textContent);
  const axis = { gridcolor: token("--line"), zerolinecolor: token("--line-strong"), linecolor: token("--line-strong") };
  window.Plotly.newPlot(place, data, {
    ...layout,
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
    colorway: ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"].map(token),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: token("--ink"), family: token("--sans"), size: 13 },
    margin: { l: 56, r: 16, t: 24, b: 48 },
    legend: { orientation: "h", y: -0.25 },
  }, { responsive: true, displaylogo: false, displayModeBar: false });
  place.on("plotly_click", (event) => {
    const link = event.points[0]?.customdata;
    if (typeof link === "string" && link.startsWith("/console/")) location.assign(link);
  });
}

function dress(root) {
  root.querySelectorAll("[data-plot]").forEach(draw);
  root.querySelectorAll("[data-events]").forEach(follow);
  root.querySelectorAll("[data-slide]").forEach(slide);
  root.querySelectorAll("[data-map]").forEach(async (place) => (await import(place.dataset.module)).drawMap(place));
}

// The page once more, and those of its parts that are named swapped for the new ones.
async function refresh(ids) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) {
    const old = document.getElementById(id);
    const made = page.getElementById(id);
    if (!old || !made) continue;
    old.replaceWith(made);
    dress(made);
  }
}

// Figures that are on their way: look again, ever more seldom, until they are there.
async function wait() {
  for (let seconds = 1; document.getElementById("main")?.dataset.pending; seconds = Math.min(seconds * 1.5, 15)) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    if (!document.hidden) await refresh(["main"]).catch(() => {});
  }
}

// Server-sent events: each is a piece of the page, made and escaped by the server.
function follow(place) {
  const source = new EventSource(place.dataset.events);
  source.addEventListener("progress", (event) => { place.innerHTML = event.data; });
  source.addEventListener("end", () => { source.close(); refresh(["main"]); });
  addEventListener("pagehide", () => source.close());
}

// A slider of a form: while it is dragged, the places that name a figure (data-of) tell what the block of its points has
// for where it stands. Let go, or a while after the last key, the part of the page that it is about is loaded anew.
function slide(input) {
  const told = document.getElementById(input.dataset.slide);
  const shown = () => {
    const block = document.getElementById(input.dataset.points);
    const points = block ? JSON.parse(block.textContent) : [];
    const point = points.find((each) => each.at === null || each.at >= input.valueAsNumber);
    if (told) told.textContent = input.value;
    for (const place of point ? document.querySelectorAll("[data-of]") : []) {
      place.textContent = point.told[place.dataset.of] ?? "";
    }
  };
  const load = async () => {
    history.replaceState(null, "", `?${new URLSearchParams(new FormData(input.form))}`);
    await refresh([input.dataset.part]).catch(() => input.form.requestSubmit());
    if (document.querySelector(`#${input.dataset.part} .busy`)) input.form.requestSubmit();
  };
  let waiting, keys = false;
  input.addEventListener("keydown", () => { keys = true; });
  input.addEventListener("pointerdown", () => { keys = false; });
  input.addEventListener("input", shown);
  input.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(load, keys ? 800 : 0);
  });
}

dress(document);
wait();
