// Replay of recorded runs: learning rate × epochs, with the loss over the epochs, the loss against the rate and a view of the model.
import palette from "./palette.json";
import { Panel, bytes, colours, element, extent, format, keyNodes, label, nearest } from "./core.mjs";

const finite = (v) => v !== null && Number.isFinite(v);

// Where a run stands at an epoch: its numbers, and whether it has left the finite numbers or grown beyond its start.
function standing({ state, lr, epoch }) {
  const i = nearest(state.lrs, lr, true), train = state.train[i];
  const lost = train.findIndex((v) => !finite(v));
  return {
    index: i, lr: state.lrs[i], epoch,
    train: train[epoch], validation: state.validation?.[i]?.[epoch] ?? null, accuracy: state.accuracy?.[i]?.[epoch] ?? null,
    lost: lost < 0 ? null : lost,
    diverged: !finite(train[epoch]),
    growing: finite(train[epoch]) && train[epoch] > 1.5 * train[0],
  };
}

function sentence(now) {
  const where = `${label("learningRate")} ${format(now.lr)}, ${label("epoch")} ${now.epoch}: `;
  if (now.diverged) return where + `${label("diverged")} (${label("epoch")} ${now.lost}).`;
  const parts = [`${label("training")} ${label("loss")} ${format(now.train)}`];
  if (finite(now.validation)) parts.push(`${label("validation")} ${label("loss")} ${format(now.validation)}`);
  if (finite(now.accuracy)) parts.push(`${label("accuracy")} ${format(now.accuracy, "percent")}`);
  return where + parts.join(", ") + (now.growing ? " ↑." : ".");
}

function mix(a, b, t) {
  const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  return [0, 1, 2].map((k) => Math.round(part(a, k) * (1 - t) + part(b, k) * t));
}
const ramp = (size, colour) => Array.from({ length: size }, (_, i) => colour(i / (size - 1)));
// Weights: blue below zero, paper at zero, orange above; the same in both themes.
const DIVERGING = ramp(256, (t) => mix(palette.light.paper, palette.light[t > 0.5 ? "orange" : "blue"], Math.abs(2 * t - 1) ** 0.8));

function modelView(panel, place) {
  const { state } = panel, { view } = state;
  if (view === "line") return lineView(panel, place);
  if (view === "weights") return weightsView(panel, place);
  if (view === "map") return mapView(panel, place);
  return () => {};
}

function lineView(panel, place) {
  const { line } = panel.state;
  const x = { domain: extent(line.x), label: line.x_label }, y = { domain: extent(line.y, { air: 0.12 }), label: line.y_label };
  const plot = panel.plot({ label: label("fit"), keys: [{ label: label("data"), colour: "grey", dot: true }], x, y, height: 330, left: 36 }, place);
  const at = (i, j) => {
    const slope = line.slope[i][j], shift = line.intercept ? line.intercept[i][j] : 0;
    return finite(slope) && finite(shift) ? x.domain.map((v) => slope * v + shift) : null;
  };
  return (now, before, live) => plot.paint((p) => {
    p.points(line.x, line.y, { colour: "grey", size: 2.6, opacity: 0.7 });
    if (before) { const ys = at(before.index, before.epoch); if (ys) p.line(x.domain, ys, { colour: "blue", opacity: 0.3, width: 2 }); }
    const ys = at(now.index, now.epoch);
    if (ys) p.line(x.domain, ys, { colour: "blue", width: 2.6 });
    else p.text(x.domain[0] + (x.domain[1] - x.domain[0]) / 2, y.domain[1], label("diverged"), { colour: "red", dy: 18, anchor: "middle" });
    if (live?.line) p.line(x.domain, x.domain.map((v) => live.line[0] * v + live.line[1]), { colour: "purple", width: 2.4 });
  });
}

function weightsView(panel, place) {
  const { weights, lrs } = panel.state, { side, names } = weights, data = bytes(weights.bytes), size = side * side;
  const caption = element("figcaption", { class: "ce-caption" });
  const grid = element("div", { class: "ce-tiles" });
  const canvases = names.map((name) => {
    const canvas = element("canvas", { width: side, height: side, role: "img", "aria-label": name });
    grid.append(element("figure", {}, canvas, element("figcaption", { text: name })));
    return canvas;
  });
  place.append(element("figure", { class: "ce-view" }, caption, grid));
  const paint = (read, c) => canvases.forEach((canvas, k) => {
    const context = canvas.getContext("2d"), image = context.createImageData(side, side);
    const empty = [mix(c.panel, c.grid, 0), mix(c.panel, c.grid, 1)];
    for (let q = 0; q < size; q++) {
      const [r, g, b] = read === null ? empty[((q % side) + Math.floor(q / side)) % 6 ? 0 : 1] : DIVERGING[read(k * size + q)];
      image.data[4 * q] = r; image.data[4 * q + 1] = g; image.data[4 * q + 2] = b; image.data[4 * q + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  });
  return (now, before, live) => {
    if (live?.pictures) {
      if (live.pictures !== paint.last) { const raw = bytes(live.pictures); paint((q) => raw[q], colours()); }
      paint.last = live.pictures;
      caption.textContent = `${label("live")}, ${label("learningRate")} ${format(live.lr)}, ${label("epoch")} ${live.train.length - 1}`;
      return;
    }
    const i = nearest(weights.rates.map((r) => lrs[r]), now.lr, true), j = nearest(weights.epochs, now.epoch, false);
    const n = i * weights.epochs.length + j, start = n * names.length * size;
    paint(weights.scales[n] === null ? null : (q) => data[start + q], colours());
    caption.textContent = `${label("weights")}: ${label("learningRate")} ${format(lrs[weights.rates[i]])}, ${label("epoch")} ${weights.epochs[j]}`;
    if (weights.scales[n] === null) caption.textContent += `: ${label("diverged")}`;
    else caption.append(element("span", { class: "ce-key", text: `±${format(weights.scales[n], "number", 2)}` }));
  };
}

function mapView(panel, place) {
  const { state } = panel, { lrs, epochs } = state;
  const half = Math.sqrt(lrs[1] / lrs[0]), log = (i) => lrs[0] * (lrs[lrs.length - 1] / lrs[0]) ** (i / (lrs.length - 1));
  const plot = panel.plot({ label: `${label("training")} ${label("loss")}`, keys: [{ label: label("low"), colour: "blue" }, { label: label("diverged"), colour: "red", faint: true }],
    x: { domain: [lrs[0] / half, lrs[lrs.length - 1] * half], scale: "log", label: label("learningRate") },
    y: { domain: [-0.5, epochs + 0.5], label: label("epoch") }, height: 330, left: 34 }, place);
  const start = Math.max(...state.train.map((run) => run[0]).filter(finite)), floor = extent(state.train.flat(), { log: true, air: 0 })[0];
  plot.onDrag(({ x, y }) => panel.setMany({ lr: lrs[nearest(lrs, x, true)], epoch: Math.min(epochs, Math.max(0, Math.round(y))) }), { begin: () => panel.begin() });
  return (now) => plot.paint((p) => {
    const c = colours(), lost = mix(c.paper, c.red, 0.28), blues = ramp(64, (t) => mix(c.blue, c.paper, t));
    p.picture(lrs.length, epochs + 1, (i, j) => {
      const v = state.train[nearest(lrs, log(i), true)][j];
      return !finite(v) || v > 1.5 * start ? lost : blues[Math.min(63, Math.round((63 * Math.log(Math.max(v, floor) / floor)) / Math.log(start / floor)))];
    });
    p.mark(now.lr, now.epoch, { colour: "orange", size: 6.5 });
  });
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { lrs, epochs } = state;
    const list = Array.from({ length: epochs + 1 }, (_, i) => i);
    panel.slider({ name: "lr", label: label("learningRate"), values: lrs, scale: "log", value: lrs[nearest(lrs, state.start.lr, true)], mark: state.edge });
    panel.slider({ name: "epoch", label: label("epoch"), values: list, value: Math.min(epochs, state.start.epoch), kind: "integer", play: true });
    if (state.accuracy) panel.select({ name: "measure", label: label("measure"), choices: [["loss", label("loss")], ["accuracy", label("accuracy")]] });
    const drawModel = modelView(panel, state.view === "none" ? null : panel.views);
    const charts = state.view === "none" ? panel.views : panel.stack();
    const height = state.view === "none" ? 240 : 170;

    const begun = state.train.map((run) => run[0]).filter(finite);
    const all = [...state.train.flat(), ...(state.validation ?? []).flat()].filter((v) => finite(v) && v <= 10 * Math.max(...begun));
    const lossFrame = { domain: [extent(all, { log: true })[0], 6 * Math.max(...begun)], scale: "log", label: label("lossLog") };
    const shares = (state.accuracy ?? []).flat().filter(finite);
    const shareFrame = { domain: [Math.min(...shares, 1) > 0.6 ? 0.5 : 0, 1], scale: "linear", label: label("accuracy"), format: "percent" };

    const keyLine = element("p", { class: "ce-keys ce-wide" });
    charts.append(keyLine);
    const curve = panel.plot({ label: "", x: { domain: [0, Math.max(1, epochs)], label: label("epoch") }, y: { ...lossFrame }, height }, charts);
    const rates = panel.plot({ label: "", x: { domain: [lrs[0], lrs[lrs.length - 1]], scale: "log", label: label("learningRate") }, y: { ...lossFrame }, height }, charts);
    const begin = () => panel.begin();
    curve.onDrag(({ x }) => panel.set("epoch", Math.round(x)), { begin });
    rates.onDrag(({ x }) => panel.set("lr", lrs[nearest(lrs, x, true)]), { begin });
    let told = null, fresh = false;  // the words of a live run stay until a slider moves
    model.on?.("change:live", () => { fresh = true; panel.queue(); });

    panel.table(() => {
      const { epoch } = panel.values;
      return {
        head: [label("learningRate"), label("training"), ...(state.validation ? [label("validation")] : []), ...(state.accuracy ? [label("accuracy")] : [])],
        rows: lrs.map((lr, i) => {
          const show = (v) => (finite(v) ? format(v) : label("diverged"));
          return [format(lr), show(state.train[i][epoch]), ...(state.validation ? [show(state.validation[i][epoch])] : []),
            ...(state.accuracy ? [finite(state.accuracy[i][epoch]) ? format(state.accuracy[i][epoch], "percent") : "–"] : [])];
        }),
      };
    });

    return panel.start((values, ghost) => {
      const shown = values.measure === "accuracy" ? "accuracy" : "loss";
      const now = standing({ state, ...values }), before = ghost && standing({ state, ...ghost });
      const live = model.get("live")?.train ? model.get("live") : null;
      const series = (i) => (shown === "accuracy" ? [null, state.accuracy[i]] : [state.train[i], state.validation?.[i]]);
      const frame = shown === "accuracy" ? shareFrame : lossFrame;
      const keys = [...(shown === "loss" ? [{ label: label("training"), colour: "blue" }] : []),
        ...(state.validation || shown === "accuracy" ? [{ label: label("validation"), colour: "orange" }] : [])];
      keyLine.replaceChildren(...keyNodes([...keys, ...(live ? [{ label: label("live"), colour: "purple" }] : [])]));
      curve.title(`${label(shown)}, ${label("learningRate")} ${format(now.lr)}`);
      rates.title(`${label(shown)}, ${label("epoch")} ${now.epoch}`);
      curve.frame({ y: frame });
      rates.frame({ y: frame });

      curve.paint((p) => {
        const [train, validation] = series(now.index);
        p.rule({ x: now.epoch, colour: "muted", dash: "none", width: 1 });
        if (before && before.index !== now.index) for (const run of series(before.index)) if (run) p.line(list, run, { colour: run === series(before.index)[0] ? "blue" : "orange", opacity: 0.28 });
        if (train) p.line(list, train, { colour: "blue" });
        if (validation) p.line(list, validation, { colour: "orange" });
        if (live) {
          const run = shown === "accuracy" ? live.accuracy ?? [] : live.train;
          p.line(run.map((_, i) => i), run, { colour: "purple", width: 2.4 });
          if (run.length) p.mark(run.length - 1, run[run.length - 1], { colour: "purple", size: 4 });
        }
        if (now.lost !== null) p.text(now.lost, frame.domain[1], `✕ ${label("diverged")}`, { colour: "red", dy: 14, anchor: now.lost > epochs / 2 ? "end" : "start" });
        for (const [run, colour] of [[train, "blue"], [validation, "orange"]]) if (run) p.mark(now.epoch, run[now.epoch], { colour, size: 4.5 });
      });

      rates.paint((p) => {
        if (state.edge) { p.region(state.edge.value, lrs[lrs.length - 1]); p.rule({ x: state.edge.value, label: state.edge.label, colour: "red" }); }
        p.rule({ x: now.lr, colour: "muted", dash: "none", width: 1 });
        const column = (of, j) => lrs.map((_, i) => of[i][j]);
        if (shown === "loss") {
          if (before && before.epoch !== now.epoch) p.line(lrs, column(state.train, before.epoch), { colour: "blue", opacity: 0.28 });
          const train = column(state.train, now.epoch);
          p.line(lrs, train, { colour: "blue" });
          if (state.validation) p.line(lrs, column(state.validation, now.epoch), { colour: "orange" });
          const high = lrs.filter((_, i) => !finite(train[i]) || train[i] > frame.domain[1]);
          p.points(high, high.map(() => frame.domain[1] / 1.25), { shape: "up", colour: "red", size: 4, opacity: 1, clip: false });
          p.mark(now.lr, now.train, { colour: "blue", size: 5 });
          if (state.validation) p.mark(now.lr, now.validation, { colour: "orange", size: 4.5 });
        } else {
          if (before && before.epoch !== now.epoch) p.line(lrs, column(state.accuracy, before.epoch), { colour: "orange", opacity: 0.28 });
          p.line(lrs, column(state.accuracy, now.epoch), { colour: "orange" });
          p.mark(now.lr, now.accuracy, { colour: "orange", size: 5 });
        }
      });
      drawModel(now, before, live);
      if (values.lr !== told?.lr || values.epoch !== told?.epoch) fresh = fresh && live?.running;
      told = values;
      panel.say(fresh && live?.note ? live.note : sentence(now));
    });
  },
};
