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

// What the server leaves to the page: the colours of its scheme.
function paint(data, layout) {
  const faint = token("--faint");
  for (const trace of data) {
    const whisker = { color: trace.type === "bar" ? token("--ink") : undefined, thickness: 1.5, width: 3 };
    if (trace.error_y) trace.error_y = { ...trace.error_y, ...whisker };
    if (trace.error_x) trace.error_x = { ...trace.error_x, ...whisker };
    if (trace.meta !== "reference") continue;
    if (trace.line) trace.line.color = faint;
    if (trace.marker) { trace.marker.color = faint; trace.marker.line.color = faint; }
  }
  for (const shape of layout.shapes) shape.line.color = token("--line-strong");
  for (const said of layout.annotations) said.font = { color: faint, size: 11 };
}

async function draw(place) {
  const id = place.dataset.plot;
  const told = document.querySelector(`script[data-for="${CSS.escape(id)}"]`);
  if (!told) return;
  await plotly();
  const { data, layout } = JSON.parse(told.textContent);
  paint(data, layout);
  const axis = { gridcolor: token("--line"), zerolinecolor: token("--line-strong"), linecolor: token("--line-strong") };
  await window.Plotly.newPlot(place, data, {
    ...layout,
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
    legend: { ...layout.legend, font: { size: 12 } },
    colorway: ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"].map(token),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: token("--ink"), family: token("--sans"), size: 13 },
    hoverlabel: { bgcolor: token("--card"), bordercolor: token("--line-strong"), font: { color: token("--ink") } },
    margin: { l: 48, r: 12, t: layout.showlegend ? 32 : 12, b: 40 },
  }, { responsive: true, displaylogo: false, displayModeBar: false });
  place.on("plotly_click", (event) => {
    const link = event.points[0]?.customdata;
    if (typeof link === "string" && link.startsWith("/console/")) location.assign(link);
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelectorAll("[data-plot]").forEach(draw);
});

function all(root, selector) {
  return [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
}

// Whatever has just come into the page.
function dress(root) {
  all(root, "[data-plot]").forEach(draw);
  all(root, "[data-events]").forEach(follow);
  all(root, "[data-slide]").forEach(slide);
  all(root, "[data-map]").forEach(async (place) => (await import(place.dataset.module)).drawMap(place));
  all(root, ".scroll").forEach(edge);
}

// Whatever leaves it: nothing goes on for a place that is gone.
function undress(root) {
  for (const place of all(root, "[data-events]")) { sources.get(place)?.close(); sources.delete(place); }
  for (const place of all(root, "[data-plot]")) window.Plotly?.purge(place);
}

// Whether somebody is at work there: a field says something else than it was sent with, or the cursor is in it.
function isBusy(root) {
  const sent = (field) => Math.max([...field.options].findIndex((each) => each.defaultSelected), 0);
  const edited = (field) => field.matches("select")
    ? !field.multiple && field.selectedIndex !== sent(field)
    : field.value !== field.defaultValue || Boolean(field.checked) !== Boolean(field.defaultChecked);
  return root.contains(document.activeElement) || all(root, "input:not([type=hidden]), select, textarea").some(edited);
}

const PARTS = "main, section, div:not(.plot), details, article";
const saysItself = (node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
const isParted = (node) => node.matches(PARTS) && !saysItself(node);
const drawnOf = (node) => node.querySelector(":scope > script[data-for]")?.textContent
  ?? node.querySelector(":scope > [data-map]")?.dataset.map;

function isSame(old, made) {
  if (old.isEqualNode(made)) return true;
  const drawn = drawnOf(old);
  return drawn !== undefined && drawn === drawnOf(made);
}

function isAlike(old, made) {
  return old.tagName === made.tagName && old.id === made.id
    && (old.dataset.events === made.dataset.events) && (isParted(made) || old.className === made.className);
}

// A part of the page once more: what is the same stays, and so does where somebody is at work.
function renew(old, made) {
  if (isSame(old, made) || old.dataset.events || old.dataset.map !== undefined) return;
  if (!isParted(old) || !isParted(made)) {
    if (isBusy(old)) return;
    undress(old);
    old.replaceWith(made);
    dress(made);
    return;
  }
  for (const { name } of [...old.attributes]) if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (name !== "open") old.setAttribute(name, value);
  old.dispatchEvent(new Event("scroll"));  // its edges are told anew
  let at = old.firstElementChild;
  for (const part of [...made.children]) {
    let found = at;
    while (found && !isSame(found, part) && !isAlike(found, part)) found = found.nextElementSibling;
    if (!found) { old.insertBefore(part, at); dress(part); continue; }
    for (; at !== found; at = drop(at));
    at = found.nextElementSibling;
    renew(found, part);
  }
  while (at) at = drop(at);
}

function drop(part) {
  const next = part.nextElementSibling;
  if (!isBusy(part) && !part.matches(".said")) { undress(part); part.remove(); }  // what is said is said once
  return next;
}

// The page once more.
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (answer.status >= 500) return stop();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [old, made] = [document.getElementById("main"), page.getElementById("main")];
  if (old && made) renew(old, made);
}

// One of the figures came to nothing: whoever loads the page again is told what happened.
function stop() {
  delete document.getElementById("main").dataset.pending;
  for (const said of document.querySelectorAll(".busy p")) said.textContent += " Something went wrong: load the page again.";
  for (const place of document.querySelectorAll(".busy")) place.classList.remove("busy");
}

// Figures that are on their way: look again, ever more seldom, until they are there.
async function wait() {
  for (let seconds = 1; document.getElementById("main")?.dataset.pending; seconds = Math.min(seconds * 1.5, 15)) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    if (!document.hidden) await refresh().catch(() => {});
  }
}

// Server-sent events: each is a piece of the page, made and escaped by the server.
const sources = new Map();
function follow(place) {
  const source = new EventSource(place.dataset.events);
  sources.set(place, source);
  source.addEventListener("progress", (event) => { place.innerHTML = event.data; });
  source.addEventListener("end", () => {
    source.close();
    sources.delete(place);
    delete place.dataset.events;
    refresh().catch(() => {});
  });
}
addEventListener("pagehide", () => { for (const source of sources.values()) source.close(); });

// A slider of a form: while it is dragged, the places that name a figure (data-of) tell what the block of its points has
// for where it stands. Let go, or a while after the last key, the page is looked at once more for where it stands then.
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
  const load = () => {
    history.replaceState(null, "", `?${new URLSearchParams(new FormData(input.form))}`);
    refresh().then(wait).catch(() => input.form.requestSubmit());
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

// A table that is wider than the screen shows at its edge that there is more.
function edge(place) {
  const tell = () => {
    place.classList.toggle("more", place.scrollWidth - place.clientWidth - place.scrollLeft > 2);
    place.classList.toggle("moved", place.scrollLeft > 2);
  };
  place.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(place);
}

dress(document);
document.querySelectorAll(".top nav ul, .tabs ul").forEach((row) => {
  edge(row);
  const here = row.querySelector("[aria-current]");
  if (here) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
});
wait();
