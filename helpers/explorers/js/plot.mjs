// One plot: axes, lines, points, bands, rules, pictures and handles that can be dragged. Plain SVG, drawn anew at each change.
import { linearTicks, logTicks, tick } from "./format.mjs";

const NS = "http://www.w3.org/2000/svg";

// Unique on the page, whichever explorers are on it: each of them carries its own copy of this file.
export const unique = (prefix) => `${prefix}-${(globalThis.courseExplorerCount = (globalThis.courseExplorerCount ?? 0) + 1)}`;

export function svg(name, attributes = {}, parent = null, text = null) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  parent?.append(node);
  return node;
}

const colour = (name) => (name?.startsWith("#") || name?.startsWith("var") || name === "none" ? name : `var(--ce-${name ?? "ink"})`);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export function scale(domain, range, kind) {
  const f = kind === "log" ? Math.log10 : (v) => v;
  const g = kind === "log" ? (v) => 10 ** v : (v) => v;
  const [a, b] = domain.map(f), [p, q] = range;
  const forward = (v) => p + ((f(v) - a) / (b - a || 1)) * (q - p);
  forward.invert = (pixel) => g(a + ((pixel - p) / (q - p || 1)) * (b - a));
  return forward;
}

// The smallest and largest finite value, with some air around them.
export function extent(values, { log = false, air = 0.05 } = {}) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v !== null && Number.isFinite(v) && (!log || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (low === high) return log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  if (log) { const f = (high / low) ** air; return [low / f, high * f]; }
  const margin = (high - low) * air;
  return [low - margin, high + margin];
}

// Direct keys beside a caption: [{ label, colour, dashed, dot, faint }]
export function keyNodes(keys) {
  return keys.map((key) => {
    const span = document.createElement("span"), mark = document.createElement("i");
    span.className = "ce-key";
    mark.className = key.dot ? "dot" : key.dashed ? "dashed" : "";
    mark.style.color = mark.style.borderTopColor = colour(key.colour);
    if (key.faint) mark.style.opacity = 0.45;
    span.append(mark, key.label);
    return span;
  });
}

export class Plot {
  constructor(place, { label, keys = [], x, y, height = 220, wide = false, left = 46, right = 12, bare = false, description = "" }) {
    this.options = { height, left, right, bare };
    this.x = { scale: "linear", ...x };
    this.y = { scale: "linear", ...y };
    this.id = unique("ce-plot");
    this.element = document.createElement("figure");
    this.element.className = "ce-view" + (wide ? " ce-wide" : "");
    this.caption = document.createElement("figcaption");
    this.caption.className = "ce-caption";
    this.element.append(this.caption);
    this.title(label, keys);
    this.svg = svg("svg", { role: "img", "aria-label": [label, description].filter(Boolean).join(". ") }, this.element);
    this.frameLayer = svg("g", { "aria-hidden": "true" }, this.svg);
    const clip = svg("clipPath", { id: this.id }, svg("defs", {}, this.svg));
    this.clip = svg("rect", {}, clip);
    this.area = svg("rect", { fill: "transparent" }, this.svg);
    this.layer = svg("g", { "aria-hidden": "true", "pointer-events": "none" }, this.svg);
    this.handles = svg("g", {}, this.svg);
    place.append(this.element);
    this.width = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    this.resize();
  }

  title(text, keys = []) {
    this.svg?.setAttribute("aria-label", [text, this.y.label, this.x.label].filter(Boolean).join(", "));
    this.caption.replaceChildren(document.createTextNode(text.charAt(0).toUpperCase() + text.slice(1)), ...keyNodes(keys));
  }

  resize() {
    const width = Math.round(this.element.clientWidth) || 320;
    if (width === this.width) return;
    this.width = width;
    this.signature = null;
    if (this.painter) this.paint(this.painter);
  }

  // paint(p => { p.line(...); p.points(...) }) draws now, and again when the width changes.
  paint(painter) {
    this.painter = painter;
    this.layout();
    this.layer.replaceChildren();
    painter(this);
  }

  // Change the range of an axis: frame({ y: { domain: [0, 1] } }); the axes are drawn again with the next paint.
  frame({ x, y }) {
    Object.assign(this.x, x);
    Object.assign(this.y, y);
  }

  layout() {
    const { height, left, right } = this.options;
    const top = this.y.label ? 24 : 10, bottom = this.x.label ? 40 : 24;
    const box = { left, top, right: this.width - right, bottom: height - bottom };
    this.box = box;
    this.px = scale(this.x.domain, [box.left, box.right], this.x.scale);
    this.py = scale(this.y.domain, [box.bottom, box.top], this.y.scale);
    const signature = JSON.stringify([this.width, this.x, this.y]);
    if (signature === this.signature) return;
    this.signature = signature;
    const inside = { x: box.left, y: box.top, width: Math.max(1, box.right - box.left), height: box.bottom - box.top };
    for (const [key, value] of Object.entries(inside)) { this.clip.setAttribute(key, value); this.area.setAttribute(key, value); }
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.frameLayer.replaceChildren();
    const ticks = (axis, room) => axis.ticks ?? (axis.scale === "log" ? logTicks(axis.domain, room) : linearTicks(axis.domain, room));
    for (const value of ticks(this.y, 4)) {
      const y = this.py(value);
      svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" }, this.frameLayer);
      svg("text", { x: box.left - 7, y: y + 4, "text-anchor": "end" }, this.frameLayer, this.y.names?.[value] ?? tick(value, this.y.format));
    }
    const names = ticks(this.x, Math.max(2, Math.floor((box.right - box.left) / 62)));
    for (const value of names) {
      const x = this.px(value);
      svg("line", { x1: x, x2: x, y1: box.bottom, y2: box.bottom + 4, class: "axis" }, this.frameLayer);
      svg("text", { x, y: box.bottom + 17, "text-anchor": "middle" }, this.frameLayer, this.x.names?.[value] ?? tick(value, this.x.format));
    }
    if (!this.options.bare) svg("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis" }, this.frameLayer);
    if (this.x.label) svg("text", { x: box.right, y: height - 6, "text-anchor": "end" }, this.frameLayer, this.x.label);
    if (this.y.label) svg("text", { x: 0, y: 13 }, this.frameLayer, this.y.label);
  }

  path(xs, ys) {
    let d = "", pen = false;
    const { left, right, top, bottom } = this.box;
    for (let i = 0; i < xs.length; i++) {
      const v = ys[i];
      if (v === null || v === undefined || !Number.isFinite(v) || xs[i] === null) { pen = false; continue; }
      const y = this.y.scale === "log" && v <= 0 ? bottom + 500 : clamp(this.py(v), top - 2000, bottom + 2000);
      d += `${pen ? "L" : "M"}${clamp(this.px(xs[i]), left - 2000, right + 2000).toFixed(1)} ${y.toFixed(1)}`;
      pen = true;
    }
    return d;
  }

  line(xs, ys, { colour: name = "blue", width = 2, dash = null, opacity = 1 } = {}) {
    return svg("path", { d: this.path(xs, ys), fill: "none", stroke: colour(name), "stroke-width": width, "stroke-dasharray": dash, opacity,
      "stroke-linejoin": "round", "stroke-linecap": "round", "clip-path": `url(#${this.id})` }, this.layer);
  }

  band(xs, low, high, { colour: name = "blue", opacity = 0.15 } = {}) {
    const d = this.path(xs, low) + this.path([...xs].reverse(), [...high].reverse()).replace("M", "L") + "Z";
    return svg("path", { d, fill: colour(name), opacity, stroke: "none", "clip-path": `url(#${this.id})` }, this.layer);
  }

  // A shaded region from x0 to x1 (over the whole height), for "beyond the edge".
  region(x0, x1, { colour: name = "red", opacity = 0.07 } = {}) {
    const a = clamp(this.px(x0), this.box.left, this.box.right), b = clamp(this.px(x1), this.box.left, this.box.right);
    svg("rect", { x: Math.min(a, b), width: Math.abs(b - a), y: this.box.top, height: this.box.bottom - this.box.top, fill: colour(name), opacity }, this.layer);
  }

  points(xs, ys, { colour: name = "ink", size = 3, opacity = 0.8, hollow = false, shape = "circle", clip = true } = {}) {
    let d = "";
    for (let i = 0; i < xs.length; i++) {
      if (ys[i] === null || !Number.isFinite(ys[i]) || xs[i] === null || !Number.isFinite(xs[i])) continue;
      const x = this.px(xs[i]), y = this.py(ys[i]);
      if (!(Math.abs(x) < 1e5 && Math.abs(y) < 1e5)) continue;  // far outside the frame, or no number
      d += shape === "up" ? `M${(x - size).toFixed(1)} ${(y + size).toFixed(1)}h${2 * size}l${-size} ${-2 * size}z`
        : shape === "cross" ? `M${(x - size).toFixed(1)} ${(y - size).toFixed(1)}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}`
        : `M${(x - size).toFixed(1)} ${y.toFixed(1)}a${size} ${size} 0 1 0 ${2 * size} 0a${size} ${size} 0 1 0 ${-2 * size} 0`;
    }
    const open = hollow || shape === "cross";
    return svg("path", { d, fill: open ? "none" : colour(name), stroke: open ? colour(name) : "none", "stroke-width": 2, opacity,
      "clip-path": clip ? `url(#${this.id})` : null }, this.layer);
  }

  // The point to look at: filled, with a paper-coloured ring and optionally a label beside it.
  mark(x, y, { colour: name = "blue", size = 5.5, label: text = null } = {}) {
    if (y === null || !Number.isFinite(y)) return;
    const cx = this.px(x), cy = clamp(this.py(y), this.box.top, this.box.bottom);
    if (!Number.isFinite(cx + cy)) return;
    svg("circle", { cx, cy, r: size, fill: colour(name), stroke: "var(--ce-paper)", "stroke-width": 2 }, this.layer);
    if (text) this.text(x, this.py.invert(cy), text, { dy: -11 });
  }

  text(x, y, text, { anchor = null, dx = 0, dy = 0, colour: name = null } = {}) {
    const px = this.px(x) + dx, fraction = (px - this.box.left) / (this.box.right - this.box.left);
    const node = svg("text", { x: px, y: clamp(this.py(y), this.box.top, this.box.bottom) + dy, class: "halo strong",
      "text-anchor": anchor ?? (fraction > 0.75 ? "end" : fraction < 0.2 ? "start" : "middle") }, this.layer, text);
    if (name) node.style.fill = colour(name);
    return node;
  }

  // A thin line across the plot: rule({ x: 0.3, label: "edge" }) or rule({ y: 0 }).
  rule({ x, y, label: text = null, colour: name = "muted", dash = "4 3", width = 1.2, at = 0 }) {
    const b = this.box;
    const ends = x !== undefined ? { x1: this.px(x), x2: this.px(x), y1: b.top, y2: b.bottom } : { x1: b.left, x2: b.right, y1: this.py(y), y2: this.py(y) };
    if (x !== undefined && (ends.x1 < b.left - 1 || ends.x1 > b.right + 1)) return;
    if (y !== undefined && (ends.y1 < b.top - 1 || ends.y1 > b.bottom + 1)) return;
    svg("line", { ...ends, stroke: colour(name), "stroke-width": width, "stroke-dasharray": dash }, this.layer);
    if (!text) return;
    const side = x !== undefined && ends.x1 > (b.left + b.right) / 2 ? "end" : "start";
    const node = svg("text", { x: x !== undefined ? ends.x1 + (side === "end" ? -5 : 5) : b.left + 5, y: x !== undefined ? b.top + 11 + 14 * at : ends.y1 - 5,
      "text-anchor": side, class: "halo" }, this.layer, text);
    node.style.fill = colour(name);
  }

  // A picture inside the axes: paint(x, y) -> [r, g, b] for num_x × num_y cells, row 0 at the bottom.
  picture(num_x, num_y, paint, { x = this.x.domain, y = this.y.domain, opacity = 1, smooth = false } = {}) {
    const canvas = document.createElement("canvas");
    canvas.width = num_x; canvas.height = num_y;
    const context = canvas.getContext("2d"), image = context.createImageData(num_x, num_y);
    for (let j = 0, k = 0; j < num_y; j++) for (let i = 0; i < num_x; i++, k += 4) {
      const [r, g, b, a = 255] = paint(i, num_y - 1 - j);
      image.data[k] = r; image.data[k + 1] = g; image.data[k + 2] = b; image.data[k + 3] = a;
    }
    context.putImageData(image, 0, 0);
    const left = this.px(x[0]), top = this.py(y[1]);
    const node = svg("image", { href: canvas.toDataURL(), x: left, y: top, width: this.px(x[1]) - left, height: this.py(y[0]) - top,
      preserveAspectRatio: "none", opacity, "clip-path": `url(#${this.id})` }, this.layer);
    if (!smooth) node.style.imageRendering = "pixelated";
    return node;
  }

  at(event) {
    const frame = this.svg.getBoundingClientRect(), ratio = this.width / frame.width;
    return { x: this.px.invert((event.clientX - frame.left) * ratio), y: this.py.invert((event.clientY - frame.top) * ratio) };
  }

  // Press or drag anywhere in the plot: callback({ x, y }) in the units of the axes. Give the same quantity a slider too.
  onDrag(callback, { begin = () => {}, target = this.area } = {}) {
    const inside = ({ x, y }) => {
      const order = (d) => [Math.min(...d), Math.max(...d)], [a, b] = order(this.x.domain), [c, d] = order(this.y.domain);
      callback({ x: clamp(x, a, b), y: clamp(y, c, d) });
    };
    target.classList.add("grab");
    target.addEventListener("pointerdown", (event) => { target.setPointerCapture(event.pointerId); begin(); inside(this.at(event)); event.preventDefault(); });
    target.addEventListener("pointermove", (event) => { if (target.hasPointerCapture(event.pointerId)) inside(this.at(event)); });
  }

  // A point to take hold of, by pointer or arrow keys: handle({ label, colour, step: [dx, dy], onMove({ x, y }), valueText() }).
  handle({ label: name, colour: paint = "orange", step = null, onMove, begin = () => {}, text }) {
    const group = svg("g", { role: "slider", tabindex: 0, "aria-label": name, class: "grab" }, this.handles);
    group.style.touchAction = "none";
    svg("circle", { r: 18, fill: "transparent" }, group);
    svg("circle", { r: 7.5, fill: colour(paint), stroke: "var(--ce-paper)", "stroke-width": 2.5 }, group);
    this.svg.setAttribute("role", "group");
    const here = { x: 0, y: 0 };
    this.onDrag(onMove, { begin, target: group });
    group.addEventListener("keydown", (event) => {
      const [dx, dy] = step ?? [(this.x.domain[1] - this.x.domain[0]) / 50, (this.y.domain[1] - this.y.domain[0]) / 50];
      const moves = { ArrowLeft: [-dx, 0], ArrowRight: [dx, 0], ArrowUp: [0, dy], ArrowDown: [0, -dy] };
      if (!(event.key in moves)) return;
      event.preventDefault();
      begin();
      onMove({ x: here.x + moves[event.key][0], y: here.y + moves[event.key][1] });
    });
    return (x, y) => {
      Object.assign(here, { x, y });
      const shown = Number.isFinite(x + y);
      group.setAttribute("transform", shown ? `translate(${clamp(this.px(x), this.box.left, this.box.right)} ${clamp(this.py(y), this.box.top, this.box.bottom)})` : "translate(-99 -99)");
      group.setAttribute("aria-valuenow", shown ? Number(x.toPrecision(4)) : 0);
      group.setAttribute("aria-valuetext", text(x, y));
    };
  }
}
