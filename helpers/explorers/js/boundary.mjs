// The decision of a recorded network with two inputs, drawn from its weights; width × learning rate × epoch.
import { Panel, colours, extent, fill, floats, format, nearest } from "./core.mjs";

// Ends inside the frame of the line a x + b y + c = 0.
function fold(a, b, c, edge) {
  if (Math.abs(b) < Math.abs(a)) {
    const turned = fold(b, a, c, edge);
    return turned && [turned[1], turned[0], turned[3], turned[2]];
  }
  if (b === 0) return null;
  const one = a ? (-c + b * edge) / a : -edge, two = a ? (-c - b * edge) / a : edge;
  const low = Math.max(Math.min(one, two), -edge), high = Math.min(Math.max(one, two), edge);
  const ends = [low, -(c + a * low) / b, high, -(c + a * high) / b];
  return low < high && Math.max(Math.abs(ends[1]), Math.abs(ends[3])) <= edge * (1 + 1e-9) ? ends : null;
}

// Equal to Boundary.compute in Python. Weights of n units: 2 n of the inputs, n biases, n output weights, 1 output bias.
export function compute({ weights, x, y, edge }) {
  const n = (weights.length - 1) / 4, on = new Array(n).fill(false), folds = [];
  const logits = Array.from(x, (_, k) => {
    let sum = weights[4 * n];
    for (let j = 0; j < n; j++) {
      const z = weights[2 * j] * x[k] + weights[2 * j + 1] * y[k] + weights[2 * n + j];
      if (z > 0) { on[j] = true; sum += weights[3 * n + j] * z; }
    }
    return sum;
  });
  for (let j = 0; j < n; j++) folds.push(fold(weights[2 * j], weights[2 * j + 1], weights[2 * n + j], edge));
  return { logits, folds, off: on.filter((v) => !v).length };
}

const CELLS = 64;
const finite = (v) => v !== null && Number.isFinite(v);

function mix(a, b, t) {
  const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  return [0, 1, 2].map((k) => Math.round(part(a, k) * (1 - t) + part(b, k) * t));
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, widths, lrs, epochs, edge } = state;
    const raw = state.weights.map(floats);
    const gx = [], gy = [];
    for (let j = 0; j < CELLS; j++) for (let i = 0; i < CELLS; i++) {
      gx.push(edge * ((2 * i + 1) / CELLS - 1));
      gy.push(edge * ((2 * j + 1) / CELLS - 1));
    }
    panel.slider({ name: "width", label: words.width, values: widths, scale: "log", value: state.start.width, kind: "integer" });
    panel.slider({ name: "lr", label: words.rate, values: lrs, scale: "log", value: lrs[nearest(lrs, state.start.lr, true)] });
    panel.slider({ name: "epoch", label: words.epoch, values: epochs, value: epochs[nearest(epochs, state.start.epoch, false)], kind: "integer", play: true });
    panel.checkbox({ name: "folds", label: words.folds, value: true });

    const frame = { domain: [-edge, edge] };
    const plane = panel.plot({ label: words.plane, keys: [{ label: words.fold, colour: "ink" }],
      x: { ...frame, label: words.x1 }, y: { ...frame, label: words.x2 }, height: 380, left: 30 });
    const charts = panel.stack();
    const half = Math.sqrt(lrs[1] / lrs[0]), last = lrs[lrs.length - 1];
    const names = Object.fromEntries(widths.map((w, i) => [i, String(w)]));
    const map = panel.plot({ label: words.map, keys: [{ label: words.all, colour: "blue" }],
      x: { domain: [lrs[0] / half, last * half], scale: "log", label: words.rate },
      y: { domain: [-0.5, widths.length - 0.5], ticks: widths.map((_, i) => i), names, label: words.width }, height: 210, left: 30 }, charts);
    const all = [state.train, state.validation].flat(3).filter(finite);
    const curve = panel.plot({ label: words.loss, keys: [{ label: words.training, colour: "blue" }, { label: words.validation, colour: "orange" }],
      x: { domain: [0, epochs[epochs.length - 1]], label: words.epoch },
      y: { domain: [Math.max(1e-3, extent(all, { log: true })[0]), 2], scale: "log", label: words.loss_axis }, height: 170, left: 46 }, charts);
    const begin = () => panel.begin();
    map.onDrag(({ x, y }) => panel.setMany({ lr: lrs[nearest(lrs, x, true)], width: widths[Math.min(widths.length - 1, Math.max(0, Math.round(y)))] }), { begin });
    curve.onDrag(({ x }) => panel.set("epoch", epochs[nearest(epochs, x, false)]), { begin });

    const place = (values) => ({ w: widths.indexOf(values.width), r: nearest(lrs, values.lr, true), e: epochs.indexOf(values.epoch) });
    const net = ({ w, r, e }) => { const size = 4 * widths[w] + 1, from = (r * epochs.length + e) * size; return raw[w].subarray(from, from + size); };
    let told = null, fresh = false;  // the words of a live run stay until a slider moves
    model.on?.("change:live", () => { fresh = true; panel.queue(); });

    panel.table(() => {
      const e = epochs.indexOf(panel.values.epoch);
      return { head: [`${words.width} \\ ${words.rate}`, ...lrs.map((lr) => format(lr))],
        rows: widths.map((w, i) => [String(w), ...lrs.map((_, r) => (finite(state.accuracy[i][r][e]) ? format(state.accuracy[i][r][e], "percent") : words.lost))]) };
    });

    return panel.start((values, ghost) => {
      const at = place(values), before = ghost && place(ghost), live = model.get("live")?.train ? model.get("live") : null;
      if (told && ["width", "lr", "epoch"].some((k) => values[k] !== told[k])) fresh = fresh && live?.running;
      told = values;
      const showLive = fresh && live?.weights, lost = !showLive && !finite(state.train[at.w][at.r][at.e]);
      const weights = showLive ? floats(live.weights) : net(at), n = (weights.length - 1) / 4;
      const { logits, folds } = compute({ weights, x: gx, y: gy, edge }), { off } = compute({ weights, x: state.x, y: state.y, edge });

      plane.paint((p) => {
        const c = colours();
        if (!lost) p.picture(CELLS, CELLS, (i, j) => {
          const share = 1 / (1 + Math.exp(-logits[j * CELLS + i]));
          return mix(c.panel, share > 0.5 ? c.orange : c.blue, 0.16 + 0.44 * Math.abs(2 * share - 1));
        }, { smooth: true });
        if (values.folds && !lost) {
          const strength = folds.map((_, j) => Math.abs(weights[3 * n + j]) * Math.hypot(weights[2 * j], weights[2 * j + 1])), most = Math.max(...strength, 1e-9);
          folds.forEach((ends, j) => ends && p.line([ends[0], ends[2]], [ends[1], ends[3]], { colour: "ink", width: 1 + 1.5 * strength[j] / most, opacity: 0.25 + 0.6 * strength[j] / most, dash: "5 4" }));
        }
        for (const [kind, colour] of [[0, "blue"], [1, "orange"]]) {
          const mine = state.x.map((_, k) => k).filter((k) => state.label[k] === kind);
          p.points(mine.map((k) => state.x[k]), mine.map((k) => state.y[k]), { colour, size: 2.6, opacity: 1 });
        }
        if (lost) p.text(0, edge, words.lost, { colour: "red", dy: 18, anchor: "middle" });
      });

      map.paint((p) => {
        const c = colours(), gone = mix(c.paper, c.red, 0.3);
        p.picture(lrs.length, widths.length, (i, j) => {
          const v = state.accuracy[j][i][at.e];
          return finite(v) ? mix(c.paper, c.blue, 0.08 + 0.92 * Math.min(1, Math.max(0, 2 * v - 1)) ** 1.5) : gone;
        });
        p.mark(values.lr, at.w, { colour: "orange", size: 6.5 });
      });

      curve.paint((p) => {
        p.rule({ x: values.epoch, colour: "muted", dash: "none", width: 1 });
        if (before && (before.w !== at.w || before.r !== at.r)) p.line(epochs, state.train[before.w][before.r], { colour: "blue", opacity: 0.28 });
        p.line(epochs, state.train[at.w][at.r], { colour: "blue" });
        p.line(epochs, state.validation[at.w][at.r], { colour: "orange" });
        if (live) p.line(live.train.map((_, i) => i), live.train, { colour: "purple", width: 2.4 });
        for (const [of, colour] of [[state.train, "blue"], [state.validation, "orange"]]) p.mark(values.epoch, of[at.w][at.r][at.e], { colour, size: 4.5 });
      });

      const setting = { width: values.width, rate: format(values.lr), epoch: values.epoch };
      panel.say(showLive && live.note ? live.note : lost ? fill(words.status_lost, setting) : fill(words.status, { ...setting, off,
        loss: format(state.train[at.w][at.r][at.e]), accuracy: format(state.accuracy[at.w][at.r][at.e], "percent") }));
    });
  },
};
