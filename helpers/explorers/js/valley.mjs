// Gradient descent with momentum in a valley: seen from above, and the distance to the bottom over the steps.
import { Panel, fill, format } from "./core.mjs";

const shrink = (scaled, momentum) => {
  const middle = 1 + momentum - scaled, under = middle * middle - 4 * momentum;
  return under < 0 ? Math.sqrt(momentum) : (Math.abs(middle) + Math.sqrt(under)) / 2;
};
const START = [-1, 0.6];

// Equal to Valley.compute in Python.
export function compute({ kappa, share, momentum, num_steps }) {
  const curvature = [1 / kappa, 1], at = [...START], velocity = [0, 0], path = [], distances = [];
  for (let k = 0; k <= num_steps; k++) {
    path.push([...at]);
    distances.push(Math.hypot(...at));
    for (const axis of [0, 1]) {
      velocity[axis] = momentum * velocity[axis] + curvature[axis] * at[axis];
      at[axis] -= share * velocity[axis];
    }
  }
  const root = Math.sqrt(kappa);
  return { path, distances, factor: Math.max(...curvature.map((one) => shrink(share * one, momentum))), best: (root - 1) / (root + 1), edge: 2 * (1 + momentum) };
}

const needed = (factor) => (factor <= 0 ? "1" : format(Math.ceil(Math.log(1e-3) / Math.log(factor)), "integer"));

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, num_steps } = state;
    panel.slider({ name: "share", label: words.share, min: 0.02, max: 4, step: 0.01, value: state.share });
    panel.slider({ name: "momentum", label: words.momentum, min: 0, max: 0.98, step: 0.01, value: state.momentum });
    panel.slider({ name: "kappa", label: words.kappa, min: 1, max: 1000, scale: "log", value: state.kappa });
    panel.slider({ name: "step", label: words.step, values: Array.from({ length: num_steps + 1 }, (_, i) => i), value: num_steps, kind: "integer", play: true });
    const map = panel.plot({ label: words.map, x: { domain: [-1.15, 1.15], label: words.along }, y: { domain: [-0.9, 0.9], label: words.across }, height: 290, left: 44 });
    const fall = panel.plot({ label: words.distance, keys: [{ label: words.found, colour: "blue" }, { label: words.predicted, colour: "orange" }],
      x: { domain: [0, num_steps], label: words.steps }, y: { domain: [1e-6, 1e2], scale: "log", label: words.distance }, height: 290, left: 58 });
    const run = (values) => compute({ ...values, num_steps });
    panel.table(() => {
      const { path, distances } = run(panel.values);
      return { head: [words.steps, words.along, words.across, words.distance], rows: path.map((p, k) => [k, ...[...p, distances[k]].map((v) => format(v, "number", 4))]) };
    });
    return panel.start((values, ghost) => {
      const now = run(values), before = ghost && run(ghost), seen = now.path.slice(0, values.step + 1);
      map.paint((p) => {
        for (let k = 1; k <= 7; k++) {
          const level = (k / 7) ** 2 * (1 / values.kappa + 0.36), xs = [], ys = [];
          for (let t = 0; t <= 90; t++) {
            const angle = (t / 90) * 2 * Math.PI;
            xs.push(Math.sqrt(level * values.kappa) * Math.cos(angle));
            ys.push(Math.sqrt(level) * Math.sin(angle));
          }
          p.line(xs, ys, { colour: "muted", width: 1, opacity: 0.5 });
        }
        p.points([0], [0], { shape: "cross", colour: "muted", size: 4 });
        if (before) p.line(before.path.map((q) => q[0]), before.path.map((q) => q[1]), { colour: "blue", width: 1.2, opacity: 0.25 });
        p.line(seen.map((q) => q[0]), seen.map((q) => q[1]), { colour: "blue", width: 1.5, opacity: 0.8 });
        p.points(seen.map((q) => q[0]), seen.map((q) => q[1]), { colour: "blue", size: 2.4, opacity: 1 });
      });
      const steps = now.distances.map((_, k) => k);
      fall.paint((p) => {
        if (before) p.line(steps, before.distances, { colour: "blue", width: 1.2, opacity: 0.25 });
        p.line(steps, steps.map((k) => now.distances[0] * now.factor ** k), { colour: "orange", width: 1.6, opacity: 0.9 });
        p.line(steps.slice(0, values.step + 1), now.distances.slice(0, values.step + 1), { colour: "blue", width: 2 });
      });
      const shown = { factor: format(now.factor, "number", 4), best: format(now.best, "number", 4), fewest: needed(now.best), edge: format(now.edge) };
      panel.say(now.factor < 1 ? fill(words.status, { ...shown, needed: needed(now.factor) }) : fill(words.status_away, shown));
    });
  },
};
