// A threshold on an assistant's confidence: how many questions it answers, how many wrongly, and what a thousand cost.
import { Panel, countFrom, extent, fill, floats, format } from "./core.mjs";

const Z = 1.959963984540054;

// Equal to Abstain.compute in Python.
export function compute({ right, wrong, threshold, cost_wrong, cost_human }) {
  const hits = countFrom(right, threshold), misses = countFrom(wrong, threshold);
  const total = right.length + wrong.length, given = hits + misses;
  const mean = (misses * cost_wrong + (total - given) * cost_human) / total;
  const square = (misses * cost_wrong ** 2 + (total - given) * cost_human ** 2) / total;
  const error = Z * Math.sqrt(Math.max(0, square - mean ** 2) / total);
  let share = null, low = null, high = null;
  if (given) {
    share = misses / given;
    const extra = Z ** 2 / given, factor = 1 / (1 + extra), centre = (share + extra / 2) * factor;
    const spread = factor * Math.sqrt(extra * (share * (1 - share) + extra / 4));
    [low, high] = [Math.max(0, centre - spread), Math.min(1, centre + spread)];
  }
  return { answered: given / total, right: hits / total, wrong: misses / total, wrong_of_answered: share, low, high,
    cost: 1000 * mean, cost_low: 1000 * (mean - error), cost_high: 1000 * (mean + error) };
}

const percent = (v) => format(v, "percent", 2);

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, unit, end, ...state } = panel.state;
    const groups = Object.fromEntries(state.groups.map((g) => [g.name, { right: floats(g.right), wrong: floats(g.wrong) }]));
    const first = state.groups[0].name;
    if (state.groups.length > 1) panel.select({ name: "group", label: words.group, choices: state.groups.map((g) => [g.name, g.name]) });
    panel.slider({ name: "threshold", label: words.threshold, min: 0, max: end, step: end / 100, value: state.threshold });
    const price = (v) => `${format(v, v < 1000 ? "number" : "integer")} ${unit}`;
    for (const name of ["cost_wrong", "cost_human"])
      panel.slider({ name, label: words[name], min: state[name] / 10, max: state[name] * 10, scale: "log", value: state[name], show: price });
    const run = (values) => compute({ ...groups[values.group ?? first], ...values });

    const bins = 40, edges = Array.from({ length: bins + 1 }, (_, i) => (end * i) / bins), grid = Array.from({ length: 101 }, (_, i) => (end * i) / 100);
    const heights = ({ right, wrong }) => [right, wrong].map((part) => {
      const found = new Array(bins).fill(0);
      for (const v of part) found[Math.min(bins - 1, Math.floor((v / end) * bins))] += 1 / (right.length + wrong.length);
      return found;
    });
    const left = panel.stack(), right = panel.stack(), axis = { domain: [0, end], label: words.confidence };
    const scores = panel.plot({ label: words.scores, x: axis, y: { domain: [0, 1], label: words.share, format: "percent" }, height: 190, left: 44,
      keys: [{ label: words.is_right, colour: "blue" }, { label: words.is_wrong, colour: "orange" }] }, left);
    const costs = panel.plot({ label: words.cost, x: { ...axis }, y: { domain: [0, 1], label: unit }, height: 200, left: 50 }, left);
    const fate = panel.plot({ label: words.fate, x: { domain: [0, 1000] }, y: { domain: [0, 3], ticks: [] }, height: 130, left: 8, right: 20 }, right);
    const trade = panel.plot({ label: words.trade, x: { domain: [0, 1], label: words.answered, format: "percent" },
      y: { domain: [0, 1.02], ticks: [0, 0.25, 0.5, 0.75, 1], label: words.wrong_of_answered, format: "percent" }, height: 260, left: 46, right: 22 }, right);
    const begin = () => panel.begin(), follow = ({ x }) => panel.set("threshold", panel.controls.threshold.read(x));
    scores.onDrag(follow, { begin });
    costs.onDrag(follow, { begin });

    panel.table(() => ({ head: [words.confidence, words.answered, words.wrong_of_answered, `${words.cost}, ${unit}`],
      rows: grid.filter((_, i) => i % 10 === 0).map((t) => {
        const r = run({ ...panel.values, threshold: t });
        return [format(t), percent(r.answered), percent(r.wrong_of_answered), format(r.cost, "integer")];
      }) }));

    return panel.start((values, ghost) => {
      const now = run(values), sweep = (v) => grid.map((t) => run({ ...v, threshold: t })), all = sweep(values);
      const best = all.reduce((b, r, i) => (r.cost < all[b].cost ? i : b), 0), people = 1000 * values.cost_human;
      const parts = heights(groups[values.group ?? first]);
      scores.frame({ y: { domain: [0, Math.max(...parts.flat()) * 1.08] } });
      scores.paint((p) => {
        [["blue", 0], ["orange", 1]].forEach(([colour, k]) => {
          const xs = edges.flatMap((e, i) => (i === 0 || i === bins ? [e] : [e, e])), ys = parts[k].flatMap((h) => [h, h]);
          p.band(xs, ys, ys.map(() => 0), { colour, opacity: 0.3 });
          p.line(xs, ys, { colour, width: 1.5 });
        });
        if (ghost) p.rule({ x: ghost.threshold, colour: "grid", dash: "none", width: 2 });
        p.rule({ x: values.threshold, colour: "ink", dash: "none", width: 1.8 });
      });
      costs.frame({ y: { domain: extent([...all.flatMap((r) => [r.cost_low, r.cost_high]), people], { air: 0.12 }) } });
      costs.paint((p) => {
        p.band(grid, all.map((r) => r.cost_low), all.map((r) => r.cost_high), { colour: "red", opacity: 0.13 });
        if (ghost) p.line(grid, sweep(ghost).map((r) => r.cost), { colour: "red", opacity: 0.28 });
        p.line(grid, all.map((r) => r.cost), { colour: "red" });
        p.rule({ y: people, colour: "ink" });
        p.text(end, people, words.people, { anchor: "end", dy: -6 });
        p.rule({ x: grid[best], label: words.cheapest, colour: "green" });
        p.mark(values.threshold, now.cost, { colour: "red" });
      });
      fate.paint((p) => {
        [[words.right, now.right, "blue"], [words.wrong, now.wrong, "orange"], [words.passed, 1 - now.answered, "grey"]].forEach(([word, share, colour], i) => {
          const low = 2.12 - i, n = Math.round(1000 * share);
          p.band([0, 1000 * share], [low, low], [low + 0.36, low + 0.36], { colour, opacity: 0.85 });
          p.text(0, low + 0.5, `${word}: ${n}`, { anchor: "start", dy: -2 });
        });
      });
      trade.paint((p) => {
        if (ghost) p.line(sweep(ghost).map((r) => r.answered), sweep(ghost).map((r) => r.wrong_of_answered), { colour: "purple", opacity: 0.28 });
        p.line(all.map((r) => r.answered), all.map((r) => r.wrong_of_answered), { colour: "purple" });
        p.mark(now.answered, now.wrong_of_answered, { colour: "purple" });
      });
      const money = (v) => `${format(v, "integer")} ${unit}`;
      panel.say(fill(now.answered ? words.status : words.status_none, { answered: percent(now.answered), right: percent(now.right), wrong: percent(now.wrong),
        wrong_of_answered: percent(now.wrong_of_answered), low: percent(now.low), high: percent(now.high), cost: money(now.cost),
        cost_low: format(now.cost_low, "integer"), cost_high: money(now.cost_high), people: money(people) }));
    });
  },
};
