// Gradient descent on the loss of a line: the loss with the path on the left, the points with the lines on the right.
import { Panel, extent, format, label } from "./core.mjs";

const times = (matrix, v) => matrix.map((row) => row.reduce((sum, a, i) => sum + a * v[i], 0));
const lossAt = ({ hessian, best, floor }, p) => {
  const away = p.map((v, i) => v - best[i]), h = times(hessian, away);
  return floor + 0.5 * away.reduce((sum, a, i) => sum + a * h[i], 0);
};

// Equal to LinearDescent.compute in Python.
export function compute({ hessian, best, floor, start, lr, num_steps }) {
  const path = [], losses = [];
  let at = [...start];
  for (let k = 0; k <= num_steps; k++) {
    path.push(at);
    losses.push(lossAt({ hessian, best, floor }, at));
    const slope = times(hessian, at.map((v, i) => v - best[i]));
    at = at.map((v, i) => v - lr * slope[i]);
  }
  return { path, losses };
}

// One line of equal loss of a quadratic in two parameters, as points on an ellipse.
function ellipse({ hessian: [[a, b], [, d]], best }, height) {
  const mean = (a + d) / 2, spread = Math.hypot((a - d) / 2, b), angle = Math.atan2(2 * b, a - d) / 2;
  const r = [Math.sqrt((2 * height) / (mean + spread)), Math.sqrt((2 * height) / (mean - spread))];
  const xs = [], ys = [];
  for (let k = 0; k <= 72; k++) {
    const t = (k / 72) * 2 * Math.PI, u = r[0] * Math.cos(t), v = r[1] * Math.sin(t);
    xs.push(best[0] + u * Math.cos(angle) - v * Math.sin(angle));
    ys.push(best[1] + u * Math.sin(angle) + v * Math.cos(angle));
  }
  return [xs, ys];
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { both, best, start, edge } = state;
    panel.slider({ name: "lr", label: label("learningRate"), min: edge / 100, max: edge * 1.25, scale: "linear", value: state.lr,
      mark: { value: edge, label: label("edge") } });
    panel.slider({ name: "step", label: label("step"), values: Array.from({ length: state.num_steps + 1 }, (_, i) => i), value: Math.min(8, state.num_steps), kind: "integer", play: true });
    const reach = (i) => Math.max(Math.abs(start[i] - best[i]) * 1.25, 0.5);
    const wide = [best[0] - reach(0), best[0] + reach(0)];
    const tall = both ? [best[1] - reach(1), best[1] + reach(1)] : [0, 1.12 * Math.max(lossAt(state, [wide[0]]), lossAt(state, [wide[1]]))];
    start.forEach((v, i) => panel.register(i ? "b" : "w", v, { show: () => {}, read: Number }));

    const map = panel.plot({ label: label("lossOver", { names: both ? "w, b" : "w" }),
      keys: [{ label: label("start"), colour: "orange", dot: true }, { label: label("step"), colour: "blue", dot: true }],
      x: { domain: wide, label: "w" }, y: { domain: tall, label: both ? "b" : label("loss") }, height: 310, left: 40 });
    const fit = panel.plot({ label: label("fit"), keys: [{ label: label("data"), colour: "grey", dot: true }],
      x: { domain: extent(state.x), label: state.x_label }, y: { domain: extent(state.y, { air: 0.3 }), label: state.y_label }, height: 310, left: 40 });
    const keep = (v, [low, high]) => Math.min(high, Math.max(low, v));
    const move = map.handle({
      label: both ? `${label("start")} w, b` : `${label("start")} w`,
      begin: () => panel.begin(),
      onMove: ({ x, y }) => panel.setMany({ w: Number(keep(x, wide).toPrecision(4)), ...(both ? { b: Number(keep(y, tall).toPrecision(4)) } : {}) }),
      text: (x, y) => (both ? `w ${format(x)}, b ${format(y)}` : `w ${format(x)}`),
    });
    const run = ({ lr, w, b }) => compute({ ...state, start: both ? [w, b] : [w], lr, num_steps: state.num_steps });
    const place = (p) => (both ? p : [p[0], lossAt(state, p)]);
    const line = ([w, b = 0]) => fit.x.domain.map((v) => w * v + b);

    panel.table(() => {
      const { path, losses } = run(panel.values);
      return { head: [label("step"), "w", ...(both ? ["b"] : []), label("loss")], rows: path.map((p, k) => [k, ...p.map((v) => format(v, "number", 4)), format(losses[k], "number", 4)]) };
    });

    return panel.start((values, ghost) => {
      const { path, losses } = run(values), taken = values.step, at = path[taken];
      const before = ghost && run(ghost).path.slice(0, ghost.step + 1).map(place);
      const seen = path.slice(0, taken + 1).map(place);
      map.paint((p) => {
        if (both) {
          const top = lossAt(state, [wide[0], tall[1]]) - state.floor;
          for (let k = 1; k <= 9; k++) p.line(...ellipse(state, top * (k / 9) ** 2.4), { colour: "muted", width: 1, opacity: 0.55 });
          p.points([best[0]], [best[1]], { shape: "cross", colour: "muted", size: 4 });
        } else {
          const ws = Array.from({ length: 81 }, (_, i) => wide[0] + ((wide[1] - wide[0]) * i) / 80);
          p.line(ws, ws.map((w) => lossAt(state, [w])), { colour: "muted", width: 1.6, opacity: 0.8 });
          p.rule({ x: best[0], label: `w = ${format(best[0])}`, colour: "muted" });
        }
        if (before) p.line(before.map((q) => q[0]), before.map((q) => q[1]), { colour: "blue", width: 1.4, opacity: 0.28 });
        p.line(seen.map((q) => q[0]), seen.map((q) => q[1]), { colour: "blue", width: 1.6, opacity: 0.8 });
        p.points(seen.map((q) => q[0]), seen.map((q) => q[1]), { colour: "blue", size: 3, opacity: 1 });
        const end = seen[seen.length - 1];
        if (end[0] >= wide[0] && end[0] <= wide[1]) p.mark(...end, { colour: "blue", size: 5.5 });
        else p.text(end[0] > best[0] ? wide[1] : wide[0], tall[1], label("offScale"), { colour: "red", dy: 14 });
        move(...place(path[0]));
      });
      fit.paint((p) => {
        p.points(state.x, state.y, { colour: "grey", size: 2.6, opacity: 0.7 });
        path.slice(0, taken).forEach((q, k) => p.line(fit.x.domain, line(q), { colour: k ? "blue" : "orange", width: k ? 1 : 1.8, opacity: k ? 0.12 + (0.3 * k) / (taken + 1) : 0.9 }));
        p.line(fit.x.domain, line(at), { colour: "blue", width: 2.6 });
      });
      const named = at.map((v, i) => `${"wb"[i]} = ${format(v)}`).join(", ");
      const beyond = values.lr > edge;
      panel.say(label("taken", { steps: taken, place: named, loss: format(losses[taken]), lr: format(values.lr),
        share: format(values.lr / edge, "number", beyond ? 3 : 2), verdict: beyond ? label("away") : "" }));
    });
  },
};
