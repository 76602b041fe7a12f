// A drawing becomes a picture of 28 × 28 pixels, and a small convolutional network reads it here, in the page.
import { Panel, colours, element, fill, floats, format } from "./core.mjs";

const clip = (v) => Math.min(1, Math.max(0, v));

// Equal to helpers.data.strokes.picture: centred, the longer side scaled to 20 of 28 pixels.
function picture(strokes, { pen, turn, right, down, size }) {
  const out = new Float64Array(size * size), angle = (turn * Math.PI) / 180, cos = Math.cos(angle), sin = Math.sin(angle);
  const lines = strokes.map((line) => line.map(([x, y]) => [x * cos - y * sin, x * sin + y * cos])), points = lines.flat();
  if (!points.length) return out;
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  for (const p of points) for (const k of [0, 1]) { low[k] = Math.min(low[k], p[k]); high[k] = Math.max(high[k], p[k]); }
  const extent = Math.max(high[0] - low[0], high[1] - low[1]), scale = extent > 0 ? ((20 * size) / 28 - 2 * pen) / extent : 0;
  const middle = [size / 2 + right, size / 2 + down], pieces = [];
  for (const line of lines) {
    const placed = line.map((p) => [0, 1].map((k) => (p[k] - (low[k] + high[k]) / 2) * scale + middle[k]));
    for (let i = 0; i < Math.max(1, placed.length - 1); i++) pieces.push([...placed[i], ...(placed[i + 1] ?? placed[i])]);
  }
  for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) {
    let least = Infinity;
    for (const [ax, ay, bx, by] of pieces) {
      const ox = column + 0.5 - ax, oy = row + 0.5 - ay, dx = bx - ax, dy = by - ay;
      const share = clip((ox * dx + oy * dy) / Math.max(dx * dx + dy * dy, 1e-12)), ex = ox - share * dx, ey = oy - share * dy;
      least = Math.min(least, ex * ex + ey * ey);
    }
    out[row * size + column] = clip(pen + 0.5 - Math.sqrt(least));
  }
  return out;
}

// Lehmer's generator: the same numbers as grain() in Python.
function grain(num) {
  let state = 1;
  return Float64Array.from({ length: num }, () => { state = (state * 48271) % 2147483647; return (2 * state) / 2147483647 - 1; });
}

// For each of the nine places of the window: calls use(row offset, column offset, first row, last row, first column, last column).
function windows(side, use) {
  for (let ky = 0; ky < 3; ky++) for (let kx = 0; kx < 3; kx++)
    use(3 * ky + kx, ky - 1, kx - 1, Math.max(0, 1 - ky), Math.min(side, side + 1 - ky), Math.max(0, 1 - kx), Math.min(side, side + 1 - kx));
}

function convolve(x, weights, bias, before, after, side) {
  const area = side * side, out = new Float64Array(after * area);
  for (let o = 0; o < after; o++) {
    out.fill(bias[o], o * area, (o + 1) * area);
    for (let c = 0; c < before; c++) windows(side, (k, dy, dx, top, bottom, left, right) => {
      const w = weights[(o * before + c) * 9 + k];
      for (let i = top; i < bottom; i++) {
        const to = o * area + i * side, from = c * area + (i + dy) * side + dx;
        for (let j = left; j < right; j++) out[to + j] += w * x[from + j];
      }
    });
  }
  return out;
}

// The way back of convolve: slopes at its output become slopes at its input.
function unconvolve(slope, weights, before, after, side) {
  const area = side * side, out = new Float64Array(before * area);
  for (let o = 0; o < after; o++) for (let c = 0; c < before; c++) windows(side, (k, dy, dx, top, bottom, left, right) => {
    const w = weights[(o * before + c) * 9 + k];
    for (let i = top; i < bottom; i++) {
      const from = o * area + i * side, to = c * area + (i + dy) * side + dx;
      for (let j = left; j < right; j++) out[to + j] += w * slope[from + j];
    }
  });
  return out;
}

// The largest of each 2 × 2 block and where it was, then ReLU (which may come before or after: both only compare).
function pool(x, channels, side) {
  const half = side >> 1, out = new Float64Array(channels * half * half), where = new Int32Array(out.length);
  for (let c = 0, n = 0; c < channels; c++) for (let i = 0; i < half; i++) for (let j = 0; j < half; j++, n++) {
    const first = (c * side + 2 * i) * side + 2 * j;
    let best = first;
    for (const at of [first + 1, first + side, first + side + 1]) if (x[at] > x[best]) best = at;
    out[n] = Math.max(0, x[best]);
    where[n] = best;
  }
  return { out, where };
}

function network(weights, channels, size) {
  let place = 0, before = 1, side = size;
  const take = (num) => weights.subarray ? weights.subarray(place, (place += num)) : weights.slice(place, (place += num));
  const stages = channels.map((after) => {
    const stage = { before, after, side, weights: take(9 * before * after), bias: take(after) };
    before = after;
    side >>= 1;
    return stage;
  });
  const features = before * side * side;
  return { stages, features, dense: take(10 * features), bias: take(10) };
}

function forward(net, image) {
  let x = image;
  const seen = net.stages.map(({ before, after, side, weights, bias }) => {
    const pooled = pool(convolve(x, weights, bias, before, after, side), after, side);
    x = pooled.out;
    return pooled;
  });
  const logits = Array.from(net.bias, (b, k) => { let sum = b; for (let f = 0; f < net.features; f++) sum += net.dense[k * net.features + f] * x[f]; return sum; });
  return { logits, seen };
}

export function softmax(logits) {
  const top = Math.max(...logits), powers = logits.map((v) => Math.exp(v - top)), sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

// Slope of the cross-entropy of the class that is answered, at every pixel.
function slopes(net, { logits, seen }) {
  const answer = logits.indexOf(Math.max(...logits)), error = softmax(logits).map((p, k) => p - (k === answer ? 1 : 0));
  let slope = Float64Array.from({ length: net.features }, (_, f) => error.reduce((sum, e, k) => sum + e * net.dense[k * net.features + f], 0));
  for (let s = net.stages.length - 1; s >= 0; s--) {
    const { before, after, side, weights } = net.stages[s], { out, where } = seen[s], back = new Float64Array(after * side * side);
    for (let n = 0; n < where.length; n++) if (out[n] > 0) back[where[n]] += slope[n];
    slope = unconvolve(back, weights, before, after, side);
  }
  return slope;
}

// Equal to GlyphReader.compute in Python.
export function compute({ weights, channels, strokes, pen = 1.3, turn = 0, right = 0, down = 0, noise = 0, attack = 0, size = 28 }) {
  const net = network(weights, channels, size), dust = grain(size * size);
  let image = picture(strokes, { pen, turn, right, down, size }).map((v, i) => clip(v + noise * dust[i]));
  const clean = forward(net, image);
  if (!attack) return { image: Array.from(image), logits: clean.logits, before: clean.logits };
  const slope = slopes(net, clean);
  image = image.map((v, i) => clip(v + attack * Math.sign(slope[i])));
  return { image: Array.from(image), logits: forward(net, image).logits, before: clean.logits };
}

// To a tenth of a per cent: nobody needs the digits of a probability near 0 or 1.
const share = (p, words) => (p < 0.0005 ? fill(words.below, { share: format(0.001, "percent") }) : p > 0.9995 ? fill(words.over, { share: format(0.999, "percent") })
  : format(Math.round(1000 * p) / 1000, "percent"));
const SIGNS = { below: "<\u00a0{share}", over: ">\u00a0{share}" };

const SIDE = 560;  // pixels of the drawing area, twice the usual width so that it is sharp

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, channels, size, classes } = state;
    const weights = Float64Array.from(floats(state.weights)), own = [], px = (v) => `${format(v)} ${words.pixels}`;
    const names = [...classes.map((name, k) => [String(k), fill(words.digit, { name })]), ["letter", words.letter], ["own", words.own]];
    panel.select({ name: "shown", label: words.example, choices: names, value: state.start });
    panel.slider({ name: "pen", label: words.pen, min: 0.4, max: 3, step: 0.1, value: 1.3, show: px });
    panel.slider({ name: "turn", label: words.turn, min: -90, max: 90, step: 5, value: 0, show: (v) => `${format(v)}${words.degrees}` });
    panel.slider({ name: "right", label: words.right, min: -8, max: 8, step: 1, value: 0, show: px });
    panel.slider({ name: "down", label: words.down, min: -8, max: 8, step: 1, value: 0, show: px });
    panel.slider({ name: "noise", label: words.noise, min: 0, max: 1, step: 0.05, value: 0, kind: "percent" });
    panel.slider({ name: "attack", label: words.attack, min: 0, max: 0.3, step: 0.01, value: 0, kind: "percent" });

    panel.controlsBox.before(panel.views);  // first the drawing, also on a phone
    panel.views.style.marginBottom = "12px";

    const view = (text, canvas) => { const box = element("figure", { class: "ce-view" }, element("figcaption", { class: "ce-caption", text }), canvas); panel.views.append(box); return box; };
    const paper = element("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    const area = element("div", { role: "application", tabindex: 0, "aria-label": words.area, "data-area": "draw" }, paper);
    area.style.cssText = "touch-action:none;cursor:crosshair;border:1px solid var(--ce-grid);border-radius:4px;background:var(--ce-panel)";
    paper.style.imageRendering = "auto";
    const left = view(words.draw, area);
    const buttons = element("div", { class: "ce-foot" });
    left.append(buttons);
    const seen = element("canvas", { width: size, height: size, role: "img", "aria-label": words.sees });
    const right = view(words.sees, seen);
    const bars = element("div", { "aria-hidden": "true" });
    bars.style.cssText = "display:grid;grid-template-columns:1.2em 1fr 4.8em;gap:2px 8px;align-items:center;font-variant-numeric:tabular-nums;line-height:1.25;margin-top:4px";
    const rows = classes.map((name) => {
      const bar = element("i"), text = element("span"), track = element("div", {}, bar);
      bar.style.cssText = "display:block;height:10px;border-radius:2px;min-width:1px";
      text.style.cssText = "text-align:right;white-space:nowrap";
      bars.append(element("span", { text: name }), track, text);
      return { bar, text };
    });
    right.append(element("p", { class: "ce-caption", text: words.answer }), bars);
    left.style.maxWidth = "360px";
    seen.style.maxWidth = "170px";

    const drawing = (shown) => (shown === "own" ? own : state.examples[shown === "letter" ? classes.length : Number(shown)]);
    const change = () => { panel.set("shown", "own"); panel.queue(); };
    const adopt = () => { if (panel.values.shown !== "own") own.splice(0, own.length, ...drawing(panel.values.shown).map((line) => line.map((p) => [...p]))); };
    const undo = () => { adopt(); own.pop(); change(); }, clear = () => { own.length = 0; change(); };
    panel.button(words.undo, undo, buttons);
    panel.button(words.clear, clear, buttons);

    let line = null;
    const at = (event) => { const box = paper.getBoundingClientRect(); return [clip((event.clientX - box.left) / box.width), clip((event.clientY - box.top) / box.height)]; };
    area.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      area.focus({ preventScroll: true });
      try { area.setPointerCapture(event.pointerId); } catch { /* a pointer of a test */ }
      if (panel.values.shown !== "own") own.length = 0;
      own.push((line = [at(event)]));
      change();
    });
    area.addEventListener("pointermove", (event) => {
      if (!line) return;
      const point = at(event), last = line[line.length - 1];
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.012) return;
      line.push(point);
      panel.queue();
    });
    for (const end of ["pointerup", "pointercancel"]) area.addEventListener(end, () => { line = null; });
    const steps = { ArrowLeft: ["right", -1], ArrowRight: ["right", 1], ArrowUp: ["down", -1], ArrowDown: ["down", 1] };
    area.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in steps) { const [name, by] = steps[event.key]; panel.begin(); panel.set(name, Math.min(8, Math.max(-8, panel.values[name] + by))); }
      else if (event.key === "Backspace") undo();
      else if (event.key === "Delete") clear();
      else return;
      event.preventDefault();
    });

    let now = null;
    panel.table(() => ({ head: [words.class, words.share], rows: classes.map((name, k) => [name, now ? share(now[k], SIGNS) : ""]) }));

    return panel.start((values) => {
      const strokes = drawing(values.shown), { shown, ...options } = values, c = colours();
      const found = compute({ weights, channels, strokes, size, ...options });
      now = strokes.length ? softmax(found.logits) : null;
      const order = classes.map((_, k) => k).sort((a, b) => found.logits[b] - found.logits[a]);

      const ink = paper.getContext("2d");
      ink.clearRect(0, 0, SIDE, SIDE);
      Object.assign(ink, { strokeStyle: c.ink, fillStyle: c.ink, lineWidth: (2 * values.pen * SIDE) / 28, lineCap: "round", lineJoin: "round" });
      const [scale, shift] = shown === "own" ? [SIDE, 0] : [SIDE * 0.64, SIDE * 0.18];
      for (const stroke of strokes) {
        ink.beginPath();
        stroke.forEach(([x, y], i) => ink[i ? "lineTo" : "moveTo"](x * scale + shift, y * scale + shift));
        if (stroke.length === 1) ink.lineTo(stroke[0][0] * scale + shift + 0.1, stroke[0][1] * scale + shift);
        ink.stroke();
      }

      const shot = new ImageData(size, size);
      found.image.forEach((v, i) => { for (let k = 0; k < 3; k++) shot.data[4 * i + k] = Math.round(255 * v); shot.data[4 * i + 3] = 255; });
      seen.getContext("2d").putImageData(shot, 0, 0);
      rows.forEach(({ bar, text }, k) => {
        bar.style.width = `${now ? 100 * now[k] : 0}%`;
        bar.style.background = k === order[0] ? c.orange : c.blue;
        text.textContent = now ? share(now[k], SIGNS) : "";
      });
      if (!now) return panel.say(words.empty);
      const said = fill(words.status, { answer: classes[order[0]], share: share(now[order[0]], words), second: classes[order[1]], rest: share(now[order[1]], words) });
      const clean = softmax(found.before), first = clean.indexOf(Math.max(...clean));
      panel.say(values.attack ? `${said} ${fill(words.fooled, { before: classes[first], clean: share(clean[first], words) })}` : said);
    });
  },
};
