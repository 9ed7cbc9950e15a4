// A map of many points, drawn by WebGL. Plotly's own WebGL compiles text into code, which the console's policy forbids.

const VERTEX = `attribute vec2 place; uniform vec2 scale; uniform vec2 shift; uniform float size;
void main() { gl_Position = vec4(place * scale + shift, 0.0, 1.0); gl_PointSize = size; }`;
const FRAGMENT = `precision mediump float; uniform vec4 colour;
void main() {
  float far = length(gl_PointCoord - 0.5) * 2.0;
  float seen = colour.a * (1.0 - smoothstep(0.75, 1.0, far));
  if (seen <= 0.0) discard;
  gl_FragColor = vec4(colour.rgb * seen, seen);
}`;
const COLOURS = { pool: "--line-strong", picked: "--c2", "gold: train": "--c1", "gold: calibration": "--c3", "gold: dev": "--c4", "gold: sealed": "--c5" };
const REACH = 10; // pixels around a click
const [LEAST, MOST] = [0.5, 400]; // how far one may zoom
const [SLOW_MS, FAST_MS] = [34, 20]; // fewer points are drawn while the map moves where a frame takes longer, more where shorter
const COARSEST = 1000; // so many at least
const FEW = 1000; // points of a group that stay, all of them
const NEAREST = 8; // named points of the list
const STILL_MS = 150; // after which it stands still

const unpack = (text, Kind) => new Kind(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);

async function load(address) {
  for (let seconds = 1; ; seconds = Math.min(seconds * 1.5, 15)) {
    const answer = await fetch(address);
    if (answer.status !== 202) return answer.ok ? answer.json() : null;
    await new Promise((done) => setTimeout(done, seconds * 1000));
  }
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  gl.useProgram(made);
  return made;
}

function colour(name) {
  const told = getComputedStyle(document.documentElement).getPropertyValue(COLOURS[name] ?? "--c6").trim();
  return [1, 3, 5].map((at) => parseInt(told.slice(at, at + 2), 16) / 255);
}

class PointMap {
  constructor(canvas, told) {
    this.canvas = canvas;
    this.item = told.item;
    this.made = told.made;
    this.gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    this.view = { zoom: 1, x: 0, y: 0 }; // x, y: what lies in the middle, in [-1, 1]
    if (!this.gl) return;
    const made = program(this.gl);
    this.at = Object.fromEntries(["scale", "shift", "size", "colour"].map((name) => [name, this.gl.getUniformLocation(made, name)]));
    this.groups = told.groups.map((group) => this.group(group));
    this.total = this.groups.reduce((sum, { numbers }) => sum + numbers.length / 2, 0);
    this.most = this.total; // points of a frame while it moves
    this.reach = [0, 1].map((side) => this.groups.reduce((most, { numbers }) => {
      for (let n = side; n < numbers.length; n += 2) most = Math.max(most, Math.abs(numbers[n]) / 32767);
      return most;
    }, 0.01));
    this.gl.enable(this.gl.BLEND);
    this.gl.blendFunc(this.gl.ONE, this.gl.ONE_MINUS_SRC_ALPHA);
    this.gl.enableVertexAttribArray(0);
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.listen();
  }

  group({ name, places, rows }) {
    const buffer = this.gl.createBuffer();
    const numbers = unpack(places, Int16Array);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, numbers, this.gl.STATIC_DRAW);
    return { name, buffer, numbers, rows: rows ? unpack(rows, Int32Array) : null, shown: true };
  }

  // Pixels of the screen that a length of 1 takes; at zoom 1 everything is seen.
  get unit() {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(clientWidth / this.reach[0], clientHeight / this.reach[1]) * 0.48 * this.view.zoom;
  }

  draw() {
    this.asked ??= requestAnimationFrame(() => { this.asked = null; this.paint(1); });
  }

  // A frame while it moves: the longer frames take, the fewer points, until it stands still.
  drawMoving() {
    this.asked ??= requestAnimationFrame((now) => {
      this.asked = null;
      const took = now - (this.last ?? now);
      this.last = now;
      if (took > 0 && took < 1000) {
        this.pace = 0.6 * (this.pace ?? Math.min(took, SLOW_MS)) + 0.4 * took;
        if (this.pace > SLOW_MS) this.most = Math.max(COARSEST, (this.most * SLOW_MS) / this.pace);
        else if (this.pace < FAST_MS) this.most = Math.min(this.total, this.most * 1.1);
      }
      this.paint(Math.ceil(this.total / this.most));
    });
    clearTimeout(this.still);
    this.still = setTimeout(() => { this.last = undefined; this.pace = undefined; this.draw(); this.onStill?.(); }, STILL_MS);
  }

  // Every ``step``th point of each group.
  paint(step) {
    const { gl, canvas, view, at } = this;
    const dense = window.devicePixelRatio;
    const [width, height] = [canvas.clientWidth * dense, canvas.clientHeight * dense].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const [across, up] = [2 * this.unit / canvas.clientWidth, 2 * this.unit / canvas.clientHeight];
    gl.uniform2f(at.scale, across, up);
    gl.uniform2f(at.shift, -view.x * across, -view.y * up);
    for (const group of this.groups.filter((each) => each.shown)) {
      const pool = group.name === "pool";
      gl.uniform4f(at.colour, ...colour(group.name), pool ? 0.45 : 0.9);
      gl.uniform1f(at.size, (pool ? 3 : 7) * dense * Math.min(2, Math.max(1, Math.sqrt(view.zoom) / 2)));
      gl.bindBuffer(gl.ARRAY_BUFFER, group.buffer);
      const points = group.numbers.length / 2;
      const nth = points > FEW ? step : 1;
      gl.vertexAttribPointer(0, 2, gl.SHORT, true, 4 * nth, 0);
      gl.drawArrays(gl.POINTS, 0, Math.ceil(points / nth));
    }
  }

  // A point of the screen as a place of the map.
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - box.width / 2, box.top + box.height / 2 - event.clientY];
    return [this.view.x + x / this.unit, this.view.y + y / this.unit];
  }

  // The ``most`` points nearest to a place that have a name, within ``reach`` pixels: row, group, and how far in pixels.
  nearest([x, y], reach = REACH, most = 1) {
    const found = [];
    let least = (reach / this.unit) ** 2;
    for (const { name, numbers, rows } of this.groups.filter((each) => each.shown && each.rows)) {
      for (let n = 0; n < rows.length; n += 1) {
        const far = (numbers[2 * n] / 32767 - x) ** 2 + (numbers[2 * n + 1] / 32767 - y) ** 2;
        if (far >= least) continue;
        found.push({ row: rows[n], group: name, far });
        found.sort((one, other) => one.far - other.far);
        if (found.length > most) found.pop();
        if (found.length === most) least = found[most - 1].far;
      }
    }
    return found.map((each) => ({ ...each, far: Math.sqrt(each.far) * this.unit }));
  }

  open(row) { location.assign(this.item + row); }

  all() { this.view = { zoom: 1, x: 0, y: 0 }; this.draw(); this.onStill?.(); }

  zoom(factor, [x, y] = [this.view.x, this.view.y]) {
    const zoom = Math.min(MOST, Math.max(LEAST, this.view.zoom * factor));
    const kept = this.view.zoom / zoom;
    this.view = { zoom, x: x - (x - this.view.x) * kept, y: y - (y - this.view.y) * kept };
    this.drawMoving();
  }

  move(x, y) {
    this.view = { ...this.view, x: this.view.x - x / this.unit, y: this.view.y + y / this.unit };
    this.drawMoving();
  }

  // Two fingers: what lay between them stays there, as far apart as they are.
  pinch(from, to, other) {
    const between = (one) => ({ clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 });
    const apart = (one) => Math.max(Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY), 1);
    this.move((to.clientX - from.clientX) / 2, (to.clientY - from.clientY) / 2);
    this.zoom(apart(to) / apart(from), this.place(between(to)));
  }

  // The named points nearest to the middle of what is seen.
  middle(most) {
    return this.nearest([this.view.x, this.view.y], Math.hypot(this.canvas.clientWidth, this.canvas.clientHeight) / 2, most);
  }

  listen() {
    const { canvas } = this;
    const held = new Map(); // pointers that are down: where they were last
    let moved = 0;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), this.place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (!held.size) moved = 0;
      held.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const from = held.get(event.pointerId);
      if (!from) return;
      const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
      held.set(event.pointerId, event);
      const [x, y] = [event.clientX - from.clientX, event.clientY - from.clientY];
      moved += Math.abs(x) + Math.abs(y) + (other ? REACH : 0);
      if (other) this.pinch(from, event, other);
      else this.move(x, y);
    });
    canvas.addEventListener("pointerup", (event) => {
      const single = held.delete(event.pointerId) && !held.size;
      const [found] = single && moved < 4 ? this.nearest(this.place(event)) : [];
      if (found) this.open(found.row);
    });
    canvas.addEventListener("pointercancel", (event) => { held.delete(event.pointerId); });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
      if (steps) this.move(...steps);
      else if (event.key === "+" || event.key === "=") this.zoom(1.25);
      else if (event.key === "-") this.zoom(0.8);
      else if (event.key === "0") this.all();
      else if (event.key === "Enter") {
        const [found] = this.middle(1);
        if (found) this.open(found.row);
      } else return;
      event.preventDefault();
    });
  }
}

// Each group's row of the table below gets a box that shows or hides it.
function boxes(map) {
  for (const row of document.querySelectorAll("[data-group]")) {
    const group = map.groups.find((each) => each.name === row.dataset.group);
    if (!group) continue;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true, ariaLabel: `Show ${group.name}` });
    box.addEventListener("change", () => { group.shown = box.checked; map.draw(); });
    row.prepend(box);
  }
}

function made(tag, more, ...inside) {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...inside);
  return element;
}

// Buttons for who has no wheel, and no second finger.
function buttons(map) {
  const acts = [["+", "Zoom in", () => map.zoom(1.5)], ["−", "Zoom out", () => map.zoom(1 / 1.5)], ["All", "Show all points", () => map.all()]];
  return made("div", { className: "map-acts" }, ...acts.map(([text, ariaLabel, onclick]) =>
    made("button", { type: "button", className: "quiet", textContent: text, ariaLabel, onclick })));
}

// The named points nearest to the middle, as links, for who cannot click on a point; the nearest is announced.
function list(map, place, canvas) {
  const links = made("ol", {});
  const told = made("p", { className: "hint" });
  told.setAttribute("aria-live", "polite");
  const whole = made("details", { className: "nearest" }, made("summary", { textContent: "Points nearest to the middle" }), links);
  let turn = 0;
  async function tell() {
    if (!whole.open && !canvas.matches(":focus-visible")) return;
    const mine = ++turn;
    const near = map.middle(NEAREST);
    const asked = near.map(({ row }) => `&row=${row}`).join("");
    const answer = near.length ? await fetch(place.dataset.names + map.made + asked) : null;
    if (mine !== turn) return; // it moved on meanwhile
    const names = answer?.ok ? (await answer.json()).names : {};
    links.replaceChildren(...near.map(({ row, group }) =>
      made("li", {}, made("a", { href: map.item + row, textContent: names[row] ?? "a point" }), ` ${group}`)));
    told.textContent = near.length
      ? `Nearest to the middle: ${names[near[0].row] ?? "a point"}, ${near[0].group}. Enter opens it.`
      : "No point that has a name is in sight.";
  }
  map.onStill = tell;
  whole.addEventListener("toggle", tell);
  canvas.addEventListener("focus", tell);
  return [told, whole];
}

export async function drawMap(place) {
  const told = await load(place.dataset.map);
  if (!told) return;
  const canvas = Object.assign(document.createElement("canvas"), { tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of the lake: arrows move it, plus and minus zoom, 0 shows all, Enter opens the point nearest to the middle");
  const map = new PointMap(canvas, told);
  if (!map.gl) {
    place.append(Object.assign(new Image(), { src: place.dataset.picture, alt: "Map of the lake" }));
    return;
  }
  place.append(canvas, made("span", { className: "cross", ariaHidden: "true" }));
  place.before(buttons(map));
  if (place.dataset.names) place.after(...list(map, place, canvas));
  boxes(map);
  map.draw();
}
