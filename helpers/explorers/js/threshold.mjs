// Scores of two classes and a threshold to drag: the confusion matrix, what the errors cost, precision and recall.
import { Panel, countFrom, element, extent, floats, format, label } from "./core.mjs";

// Equal to Threshold.compute in Python.
export function compute({ positive, negative, threshold, cost_false_positive, cost_false_negative }) {
  const tp = countFrom(positive, threshold), fp = countFrom(negative, threshold);
  const fn = positive.length - tp, tn = negative.length - fp, all = positive.length + negative.length;
  return {
    true_positives: tp, false_positives: fp, false_negatives: fn, true_negatives: tn,
    precision: tp + fp ? tp / (tp + fp) : null, recall: tp / positive.length, accuracy: (tp + tn) / all,
    cost: (fp * cost_false_positive + fn * cost_false_negative) / all,
  };
}

function histogram(values, domain, bins) {
  const heights = new Array(bins).fill(0);
  for (const v of values) heights[Math.min(bins - 1, Math.max(0, Math.floor(((v - domain[0]) / (domain[1] - domain[0])) * bins)))] += 1 / values.length;
  return heights;
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { classes, unit } = state;
    const [positive, negative] = [floats(state.positive), floats(state.negative)];
    const domain = state.domain, span = domain[1] - domain[0];
    panel.slider({ name: "threshold", label: label("threshold"), min: domain[0], max: domain[1], step: span / 200, value: state.threshold });
    const top = Math.max(state.cost_false_positive, state.cost_false_negative) * 5;
    for (const name of ["cost_false_positive", "cost_false_negative"])
      panel.slider({ name, label: state.cost_labels[name], min: top / 500, max: top, scale: "log", value: state[name], unit });
    const run = (values) => compute({ positive, negative, ...values });

    const bins = 40, edges = Array.from({ length: bins + 1 }, (_, i) => domain[0] + (span * i) / bins);
    const heights = [histogram(positive, domain, bins), histogram(negative, domain, bins)];
    const high = Math.max(...heights.flat()) * 1.1;
    const left = panel.stack();
    const scores = panel.plot({ label: state.score_label, keys: [{ label: classes[1], colour: "orange" }, { label: classes[0], colour: "blue" }],
      x: { domain, label: state.score_label }, y: { domain: [0, high], label: label("shareOfClass"), format: "percent" }, height: 190, left: 44 }, left);
    const costs = panel.plot({ label: label("perCase"), x: { domain, label: label("threshold") }, y: { domain: [0, 1], label: unit }, height: 170, left: 44 }, left);
    const begin = () => panel.begin(), follow = ({ x }) => panel.set("threshold", panel.controls.threshold.read(x));
    scores.onDrag(follow, { begin });
    costs.onDrag(follow, { begin });

    const cell = {};
    const data = (key) => (cell[key] = element("td", {}));
    const head = (text) => element("th", { text, scope: "row" });
    const matrix = element("table", {},
      element("thead", {}, element("tr", {}, element("td", {}), ...[1, 0].map((k) => element("th", { scope: "col", text: label("called", { name: classes[k] }) })))),
      element("tbody", {}, element("tr", {}, head(label("is", { name: classes[1] })), data("true_positives"), data("false_negatives")), element("tr", {}, head(label("is", { name: classes[0] })), data("false_positives"), data("true_negatives"))));
    const right = panel.stack();
    right.append(element("div", { class: "ce-matrix" }, element("p", { class: "ce-caption", text: label("matrix") }), matrix));
    const curve = panel.plot({ label: label("precisionRecall"), x: { domain: [0, 1], label: label("recall"), format: "percent" },
      y: { domain: [0, 1.02], ticks: [0, 0.25, 0.5, 0.75, 1], label: label("precision"), format: "percent" }, height: 230, left: 46, right: 22 }, right);
    const grid = Array.from({ length: 121 }, (_, i) => domain[0] + (span * i) / 120);

    panel.table(() => ({ head: [label("threshold"), label("cost"), label("precision"), label("recall")], rows: grid.filter((_, i) => i % 6 === 0).map((t) => {
      const r = run({ ...panel.values, threshold: t });
      return [format(t), format(r.cost), format(r.precision, "percent"), format(r.recall, "percent")];
    }) }));

    return panel.start((values, ghost) => {
      const now = run(values), all = grid.map((t) => run({ ...values, threshold: t })), cheapest = all.reduce((b, r, i) => (r.cost < all[b].cost ? i : b), 0);
      scores.paint((p) => {
        [["blue", 1], ["orange", 0]].forEach(([colour, k]) => {
          const xs = edges.flatMap((e, i) => (i === 0 || i === bins ? [e] : [e, e])), ys = heights[k].flatMap((h) => [h, h]);
          p.band(xs, ys, ys.map(() => 0), { colour, opacity: 0.3 });
          p.line(xs, ys, { colour, width: 1.5 });
        });
        if (ghost) p.rule({ x: ghost.threshold, colour: "grid", dash: "none", width: 2 });
        p.rule({ x: values.threshold, colour: "ink", dash: "none", width: 1.8, label: `${label("threshold")} ${format(values.threshold, "number", 2)}` });
      });
      costs.frame({ y: { domain: [0, extent(all.map((r) => r.cost), { air: 0.1 })[1]] } });
      costs.paint((p) => {
        if (ghost) p.line(grid, grid.map((t) => run({ ...ghost, threshold: t }).cost), { colour: "red", opacity: 0.28 });
        p.line(grid, all.map((r) => r.cost), { colour: "red" });
        p.rule({ x: grid[cheapest], label: label("cheapest"), colour: "green" });
        p.mark(values.threshold, now.cost, { colour: "red" });
      });
      curve.paint((p) => {
        p.line(all.map((r) => r.recall), all.map((r) => r.precision), { colour: "purple" });
        p.mark(now.recall, now.precision, { colour: "purple" });
      });
      for (const key of Object.keys(cell)) cell[key].textContent = format(now[key], "integer");
      panel.say(label("decided", { threshold: format(values.threshold), precision: format(now.precision, "percent"), recall: format(now.recall, "percent"),
        cost: format(now.cost), unit, best: format(grid[cheapest]), least: format(all[cheapest].cost) }));
    });
  },
};
