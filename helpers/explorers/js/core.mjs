// The frame of every explorer: controls, plots, status line, table, link to a setting, ghost of the setting before.
//
//   export default { render({ model, el }) {
//     const panel = new Panel({ model, el });
//     const rate = panel.slider({ name: "lr", label: "learning rate", min: 1e-4, max: 1, scale: "log", value: 0.1 });
//     const plot = panel.plot({ label: "Loss", x: { domain: [0, 10], label: "epoch" }, y: { domain: [0, 1] } });
//     return panel.start((values, ghost) => { plot.paint((p) => p.line(xs, ys)); panel.say(`Loss ${format(loss)}`); });
//   } };
import { fill, label, translate } from "./labels.mjs";
import { format, tick } from "./format.mjs";
import { Plot, extent, keyNodes, scale, unique } from "./plot.mjs";
import { colours, ensureStyle, isDark, onTheme } from "./style.mjs";

export { fill, label, format, tick, Plot, extent, keyNodes, scale, colours, isDark };

export function element(name, { text, ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value; else node.setAttribute(key, value === true ? "" : value);
  }
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}

// Bytes of a base64 string, as written by helpers.explorers.base.pack_uint8.
export function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

// Float16 numbers of a base64 string, as written by pack_float16.
export function floats(text) {
  const raw = bytes(text), out = new Float32Array(raw.length / 2);
  for (let i = 0; i < out.length; i++) {
    const h = raw[2 * i] | (raw[2 * i + 1] << 8), e = (h >> 10) & 31, m = h & 1023;
    const size = e === 0 ? m * 2 ** -24 : e === 31 ? (m ? NaN : Infinity) : (1 + m / 1024) * 2 ** (e - 15);
    out[i] = h & 32768 ? -size : size;
  }
  return out;
}

// How many of the sorted numbers are at or above the threshold.
export const countFrom = (sorted, threshold) => {
  let low = 0, high = sorted.length;
  while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] >= threshold) high = middle; else low = middle + 1; }
  return sorted.length - low;
};

export const nearest = (values, value, log = false) => {
  const f = log ? Math.log : (v) => v;
  let best = 0;
  values.forEach((v, i) => { if (Math.abs(f(v) - f(value)) < Math.abs(f(values[best]) - f(value))) best = i; });
  return best;
};

export class Panel {
  constructor({ model, el }) {
    this.model = model;
    this.state = model.get("state");
    this.id = model.get("id") ?? "explorer";
    translate(this.state.labels);
    ensureStyle(el);
    this.uid = unique("ce");
    this.values = {};
    this.defaults = {};
    this.controls = {};
    this.ghost = null;
    this.cleanups = [];
    this.root = element("div", { class: "ce", role: "group", "aria-label": this.state.title ?? this.id });
    // JupyterLab takes the arrow keys for itself unless they stop here.
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    if (this.state.title) this.root.append(element("p", { class: "ce-title", text: this.state.title }));
    if (this.state.hint) this.root.append(element("p", { class: "ce-hint", text: this.state.hint }));
    this.controlsBox = element("div", { class: "ce-controls" });
    this.views = element("div", { class: "ce-views" });
    this.status = element("p", { class: "ce-status", role: "status" });
    this.foot = element("div", { class: "ce-foot" });
    this.root.append(this.controlsBox, this.views, this.status, this.foot);
    el.append(this.root);
    const observer = new ResizeObserver(() => this.root.classList.toggle("ce-narrow", this.root.clientWidth < 560));
    this.root.classList.toggle("ce-narrow", this.root.clientWidth < 560);
    observer.observe(this.root);
    this.cleanups.push(() => observer.disconnect());
  }

  // Called at the start of each gesture, so that the setting before it stays as a ghost.
  begin() {
    const now = performance.now();
    if (now - (this.last ?? -1e9) > 700) this.ghost = { ...this.values };
    this.last = now;
  }

  set(name, value) {
    this.last = performance.now();
    if (Object.is(this.values[name], value)) return;
    this.values[name] = value;
    this.controls[name]?.show(value);
    this.queue();
  }

  setMany(values) {
    for (const [name, value] of Object.entries(values)) if (name in this.values) this.set(name, value);
  }

  queue() {
    if (this.queued) return;
    this.queued = requestAnimationFrame(() => { this.queued = 0; this.redraw(); });
  }

  redraw() {
    const began = performance.now();
    const changed = this.ghost && Object.keys(this.values).some((k) => this.values[k] !== this.ghost[k]);
    this.draw?.({ ...this.values }, changed ? this.ghost : null);
    if (this.tableOpen) this.fillTable();
    this.root.dataset.drawMilliseconds = (performance.now() - began).toFixed(2);
    this.root.dataset.draws = Number(this.root.dataset.draws ?? 0) + 1;
    this.model.set("choice", { ...this.values });
    this.model.save_changes();
  }

  register(name, value, control) {
    this.values[name] = value;
    this.defaults[name] = value;
    this.controls[name] = control;
    control.show(value);
    return control;
  }

  // A labelled range. Either `values` (the slider runs over the list) or min, max and scale ("linear" or "log"), with `step` for linear.
  // mark: { value, label } is a tick on the track; kind is a format of format.mjs.
  slider({ name, label: text, values = null, min, max, scale: kindOfScale = "linear", step = null, value, kind = "number", unit = "", mark = null, place = null, show = null, play = false }) {
    const log = kindOfScale === "log";
    const count_ = values ? values.length - 1 : step && !log ? Math.round((max - min) / step) : 240;
    const round = (v) => (kind === "integer" ? Math.round(v) : Number(v.toPrecision(10)));
    const toValue = (i) => values ? values[i] : log ? round(min * (max / min) ** (i / count_)) : round(min + ((max - min) * i) / count_);
    const toIndex = (v) => values ? nearest(values, v, log) : log ? (Math.log(v / min) / Math.log(max / min)) * count_ : ((v - min) / (max - min)) * count_;
    const fraction = (v) => {
      if (!values) return toIndex(v) / count_;
      const f = log ? Math.log : (q) => q, i = values.findIndex((q) => q >= v);
      if (i <= 0) return i === 0 ? 0 : 1;
      return (i - 1 + (f(v) - f(values[i - 1])) / (f(values[i]) - f(values[i - 1]))) / count_;
    };
    const id = `${this.uid}-${name}`;
    const input = element("input", { type: "range", id, name, min: 0, max: count_, step: 1 });
    const output = element("output", { for: id });
    const track = element("div", { class: "ce-track" }, input);
    const row = element("div", { class: "ce-row" }, track);
    const box = element("div", { class: "ce-control" + (mark ? " ce-marked" : "") },
      element("div", { class: "ce-head" }, element("label", { for: id, text }), output), row);
    if (mark && mark.value !== null) {
      const at = Math.min(1, Math.max(0, fraction(mark.value)));
      const sign = element("div", { class: "ce-tick", style: `left: calc(9px + ${at} * (100% - 18px)); --shift: ${at > 0.8 ? "-95%" : at < 0.2 ? "-5%" : "-50%"}` }, element("span", { text: mark.label ?? "" }));
      track.append(sign);
    }
    const textOf = show ?? ((v) => format(v, kind) + (unit ? ` ${unit}` : ""));
    const control = {
      box, input,
      show: (v) => {
        const i = toIndex(v);
        input.value = Math.round(i);
        output.textContent = textOf(v);
        input.setAttribute("aria-valuetext", textOf(v));
        input.style.setProperty("--fill", `calc(9px + ${Math.min(1, Math.max(0, i / count_))} * (100% - 18px))`);
      },
      read: (t) => { const v = Number(t); if (!Number.isFinite(v)) return undefined; return toValue(values || !log ? Math.min(count_, Math.max(0, values ? toIndex(v) : Math.round(toIndex(v)))) : Math.min(count_, Math.max(0, toIndex(v)))); },
    };
    input.addEventListener("pointerdown", () => this.begin());
    input.addEventListener("keydown", () => this.begin());
    input.addEventListener("input", () => this.set(name, toValue(Number(input.value))));
    if (play) row.append(this.playButton(name, toValue, toIndex, count_));
    (place ?? this.controlsBox).append(box);
    return this.register(name, value ?? toValue(Math.round(count_ / 2)), control);
  }

  playButton(name, toValue, toIndex, last) {
    const button = element("button", { type: "button", text: label("play") });
    const stop = () => { clearInterval(this.timer); this.timer = 0; button.textContent = label("play"); };
    button.addEventListener("click", () => {
      if (this.timer) return stop();
      this.begin();
      if (toIndex(this.values[name]) >= last) this.set(name, toValue(0));
      button.textContent = label("pause");
      this.timer = setInterval(() => {
        const i = toIndex(this.values[name]);
        if (i >= last || !this.root.isConnected) return stop();
        this.set(name, toValue(i + 1));
      }, Math.max(40, Math.min(200, 4000 / last)));
    });
    this.root.addEventListener("pointerdown", (event) => { if (this.timer && event.target !== button) stop(); });
    return button;
  }

  select({ name, label: text, choices, value = choices[0][0], place = null }) {
    const id = `${this.uid}-${name}`, input = element("select", { id, name });
    for (const [key, words] of choices) input.append(element("option", { value: key, text: words }));
    const box = element("div", { class: "ce-control" }, element("div", { class: "ce-head" }, element("label", { for: id, text })), input);
    input.addEventListener("change", () => { this.begin(); this.set(name, input.value); });
    (place ?? this.controlsBox).append(box);
    return this.register(name, value, { box, input, show: (v) => { input.value = v; }, read: (t) => choices.find(([key]) => key === t)?.[0] });
  }

  checkbox({ name, label: text, value = false, place = null }) {
    const id = `${this.uid}-${name}`, input = element("input", { type: "checkbox", id, name });
    const box = element("div", { class: "ce-control ce-check" }, input, element("label", { for: id, text }));
    input.addEventListener("change", () => { this.begin(); this.set(name, input.checked); });
    (place ?? this.controlsBox).append(box);
    return this.register(name, value, { box, input, show: (v) => { input.checked = v; }, read: (t) => t === "true" });
  }

  plot(options, place = null) {
    const plot = new Plot(place ?? this.views, options);
    this.cleanups.push(() => plot.observer.disconnect());
    return plot;
  }

  button(text, action, place = null) {
    const button = element("button", { type: "button", text });
    button.addEventListener("click", action);
    (place ?? this.foot).append(button);
    return button;
  }

  stack(...names) {
    const box = element("div", { class: ["ce-stack", ...names].join(" ") });
    this.views.append(box);
    return box;
  }

  // The result in words: seen, and read aloud by a screen reader.
  say(text) {
    const sentence = text.charAt(0).toUpperCase() + text.slice(1);
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
  }

  // table(() => ({ head: [...], rows: [[...], ...] })): filled only while it is open.
  table(make) {
    const body = element("div", { class: "ce-scroll", tabindex: 0, role: "region", "aria-label": label("table") });
    const details = element("details", {}, element("summary", { text: label("table") }), body);
    this.fillTable = () => {
      const { head, rows } = make();
      const row = (cells, tag) => element("tr", {}, ...cells.map((c) => element(tag, { text: c, scope: tag === "th" ? "col" : null })));
      body.replaceChildren(element("table", {}, element("thead", {}, row(head, "th")), element("tbody", {}, ...rows.map((r) => row(r, "td")))));
    };
    details.addEventListener("toggle", () => { this.tableOpen = details.open; if (details.open) this.fillTable(); });
    this.foot.after(details);
  }

  fragment() {
    const short = (v) => (typeof v === "number" ? Number(v.toPrecision(4)) : v);
    return `#${this.id}:` + Object.entries(this.values).map(([k, v]) => `${k}=${encodeURIComponent(short(v))}`).join(",");
  }

  readFragment() {
    const text = decodeURIComponent(window.location.hash), start = `#${this.id}:`;
    if (!text.startsWith(start)) return false;
    for (const part of text.slice(start.length).split(",")) {
      const [name, value] = part.split("=");
      const read = this.controls[name]?.read?.(value);
      if (read !== undefined) this.set(name, read);
    }
    return true;
  }

  reset() {
    this.ghost = { ...this.values };
    this.setMany(this.defaults);
    this.last = -1e9;
  }

  // The last call of render: source line, buttons, first drawing. Returns the function that takes the explorer away.
  start(draw) {
    this.draw = draw;
    if (this.state.source) this.foot.append(element("p", { class: "ce-source", text: this.state.source }));
    this.button(label("reset"), () => this.reset());
    if (this.model.get("page")) {
      const copy = this.button(label("copy"), async () => {
        try { window.history.replaceState(null, "", this.fragment()); } catch { window.location.hash = this.fragment(); }
        try { await navigator.clipboard.writeText(window.location.href); copy.textContent = label("copied"); } catch { copy.textContent = label("inAddressBar"); }
        setTimeout(() => { copy.textContent = label("copy"); }, 1800);
      });
      const follow = () => { if (this.readFragment()) this.root.scrollIntoView({ block: "center" }); };
      window.addEventListener("hashchange", follow);
      this.cleanups.push(() => window.removeEventListener("hashchange", follow));
      follow();
    }
    this.cleanups.push(onTheme(() => this.queue()));
    this.redraw();
    return () => { clearInterval(this.timer); this.cleanups.forEach((f) => f()); };
  }
}
