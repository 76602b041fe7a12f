// A computational graph of one hidden unit: values forward, slopes backward, and the tangent that they give.
import { Panel, extent, fill, format } from "./core.mjs";

const INPUT = 2, TARGET = 1, SMALL = 1e-4;
const forward = (w1, w2) => {
  const z = w1 * INPUT, h = 1 / (1 + Math.exp(-z)), prediction = w2 * h;
  return { z, h, prediction, loss: 0.5 * (prediction - TARGET) ** 2 };
};

// Equal to Graph.compute in Python.
export function compute({ w1, w2, rule }) {
  const now = forward(w1, w2), printed = rule === "printed";
  const d_prediction = now.prediction - TARGET, d_h = d_prediction * w2;
  const d_z = printed ? d_h : d_h * now.h * (1 - now.h);
  return { ...now, d_prediction, d_w2: printed ? d_prediction : d_prediction * now.h, d_h, d_z, d_w1: d_z * INPUT,
    measured_w1: (forward(w1 + SMALL, w2).loss - forward(w1 - SMALL, w2).loss) / (2 * SMALL),
    measured_w2: (forward(w1, w2 + SMALL).loss - forward(w1, w2 - SMALL).loss) / (2 * SMALL) };
}

// Name, place, the step at which its value is known, the step at which its slope is known.
const NODES = [
  ["x", 0, 1, 0, 99, "x"], ["w₁", 0, 0, 0, 8, "w1"], ["z", 1, 1, 1, 7, "z"], ["h", 2, 1, 2, 6, "h"],
  ["w₂", 2, 0, 0, 6, "w2"], ["ŷ", 3, 1, 3, 5, "prediction"], ["y", 3, 0, 0, 99, "y"], ["L", 4, 1, 4, 4, "loss"],
];
const EDGES = [["x", "z"], ["w₁", "z"], ["z", "h"], ["h", "ŷ"], ["w₂", "ŷ"], ["ŷ", "L"], ["y", "L"]];
const W1S = Array.from({ length: 101 }, (_, i) => -3 + (6 * i) / 100);

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words } = state;
    panel.slider({ name: "step", label: words.step, values: [0, 1, 2, 3, 4, 5, 6, 7, 8], value: 8, kind: "integer", play: true });
    panel.slider({ name: "w1", label: words.w1, min: -3, max: 3, step: 0.05, value: state.w1 });
    panel.slider({ name: "w2", label: words.w2, min: -3, max: 3, step: 0.05, value: state.w2 });
    panel.select({ name: "rule", label: words.rule, choices: [["right", words.right], ["printed", words.printed]] });
    const map = panel.plot({ label: words.graph, keys: [{ label: words.value, colour: "blue" }, { label: words.gradient, colour: "orange" }],
      x: { domain: [-0.4, 4.4], ticks: [] }, y: { domain: [-0.75, 1.6], ticks: [] }, height: 230, left: 4, right: 4, bare: true });
    const plot = panel.plot({ label: words.loss, keys: [{ label: words.curve, colour: "blue" }, { label: words.tangent, colour: "orange" }],
      x: { domain: [-3, 3], label: words.w1 }, y: { domain: [0, 1], label: words.loss_axis }, height: 250 });
    panel.table(() => {
      const v = compute(panel.values);
      return { head: ["", words.value, words.gradient], rows: NODES.map(([name, , , , , key]) => [name, format({ x: INPUT, y: TARGET, ...panel.values, ...v }[key]), key === "loss" ? "1" : format(v[`d_${key}`] ?? null)]) };
    });
    return panel.start((values) => {
      const v = compute(values), all = { x: INPUT, y: TARGET, ...values, ...v }, place = Object.fromEntries(NODES.map(([name, x, y]) => [name, [x, y]]));
      map.paint((p) => {
        for (const [from, to] of EDGES) p.line([place[from][0], place[to][0]], [place[from][1], place[to][1]], { colour: "muted", width: 1.4, opacity: 0.7 });
        for (const [name, x, y, known, sloped, key] of NODES) {
          p.points([x], [y], { size: 15, colour: values.step >= known ? "paper" : "grey", opacity: 1 });
          p.points([x], [y], { size: 15, hollow: true, colour: values.step >= sloped && sloped < 99 ? "orange" : "blue", opacity: 1 });
          p.text(x, y, name, { anchor: "middle", dy: 5 });
          if (values.step >= known) p.text(x, y, format(all[key], "number", 3), { anchor: "middle", dy: -21, colour: "blue" });
          if (values.step >= sloped && sloped < 99 && key !== "loss") p.text(x, y, format(all[`d_${key}`], "number", 3), { anchor: "middle", dy: 32, colour: "orange" });
        }
      });
      const losses = W1S.map((w1) => forward(w1, values.w2).loss);
      plot.frame({ y: { domain: [0, Math.max(0.2, extent(losses)[1])] } });
      plot.paint((p) => {
        p.line(W1S, losses, { colour: "blue" });
        if (values.step >= 8) p.line([-3, 3], [-3, 3].map((w1) => v.loss + v.d_w1 * (w1 - values.w1)), { colour: "orange" });
        p.mark(values.w1, v.loss, { colour: "blue" });
      });
      const agree = Math.abs(v.d_w1 - v.measured_w1) < 1e-4;
      panel.say(values.step <= 4 ? fill(words.forward, { step: values.step }) : values.step < 8 ? fill(words.half, { step: values.step - 4 })
        : fill(words.backward, { graph: format(v.d_w1), measured: format(v.measured_w1),
          verdict: agree ? words.agree : fill(words.differ, { slope: format(v.h * (1 - v.h)) }) }));
    });
  },
};
