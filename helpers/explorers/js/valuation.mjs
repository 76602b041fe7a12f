// A scorecard: weights and scores that can be moved, who leads, and how far the order is from turning.
import { Panel, fill, format } from "./core.mjs";

const LEVEL = 1e-12, NUM_POINTS = 2000, COLOURS = ["blue", "orange", "green", "purple"];

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const minus = (a, b) => a.map((v, i) => v - b[i]);
const leaderOf = (totals) => { const top = Math.max(...totals) - LEVEL; return totals.findIndex((v) => v >= top); };
const inParts = (weights) => { const sum = weights.reduce((a, b) => a + b, 0); return weights.map((v) => (sum > 0 ? v / sum : 1 / weights.length)); };

// Smallest shift of weight that takes the leader's advantage, ahead · weights, away; null when there is none.
function turnOf(ahead, weights) {
  const receiver = ahead.indexOf(Math.min(...ahead)), moved = [...weights];
  if (ahead[receiver] > 0) return null;
  let gap = dot(ahead, weights), shift = 0;
  for (const donor of ahead.map((_, i) => i).sort((a, b) => ahead[b] - ahead[a])) {
    const gain = ahead[donor] - ahead[receiver];
    if (gap <= LEVEL || gain <= 0) break;
    const taken = Math.min(moved[donor], gap / gain);
    moved[donor] -= taken;
    moved[receiver] += taken;
    shift += taken;
    gap -= taken * gain;
  }
  return { shift, weights: moved };
}

// The other weights in proportion, summing to 1; equal parts when they are all zero.
const othersOf = (weights, k) => {
  const rest = weights.map((v, i) => (i === k ? 0 : v)), sum = rest.reduce((a, b) => a + b, 0);
  return rest.map((v, i) => (sum < LEVEL ? (i === k ? 0 : 1 / (weights.length - 1)) : v / sum));
};

function boundsOf(scores, weights, first) {
  return weights.map((_, k) => {
    const others = othersOf(weights, k), bounds = [0, 1];
    scores.forEach((row, i) => {
      if (i === first) return;
      const ahead = minus(scores[first], row), none = dot(ahead, others), all = ahead[k];
      if (none < 0) bounds[0] = Math.max(bounds[0], none / (none - all));
      if (all < 0) bounds[1] = Math.min(bounds[1], none / (none - all));
    });
    return bounds;
  });
}

// Weightings spread evenly over all weightings: an additive sequence whose sorted coordinates cut a stick.
const spreads = {};
function spreadWeights(num) {
  if (spreads[num]) return spreads[num];
  let root = 1.5;
  for (let i = 0; i < 60; i++) root = (1 + root) ** (1 / num);
  const steps = Array.from({ length: num - 1 }, (_, d) => root ** -(d + 1));
  return (spreads[num] = Array.from({ length: NUM_POINTS }, (_, k) => {
    const cuts = [0, ...steps.map((step) => (0.5 + (k + 1) * step) % 1).sort((a, b) => a - b), 1];
    return steps.concat(0).map((_, i) => cuts[i + 1] - cuts[i]);
  }));
}

// The normal distribution function as a series, which converges at every x.
function normal(x) {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let term = x, sum = x;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum) && k < 400; k += 2) sum += term *= (x * x) / k;
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

export function compute({ scores, weights: points, spread }) {
  const weights = inParts(points), totals = scores.map((row) => dot(row, weights)), leader = leaderOf(totals);
  const turns = scores.map((row, i) => (i === leader ? null : turnOf(minus(scores[leader], row), weights)));
  let nearest = null;
  turns.forEach((turn, i) => { if (turn && (nearest === null || turn.shift < turns[nearest].shift)) nearest = i; });
  const shares = scores.map(() => 0);
  for (const point of spreadWeights(weights.length)) shares[leaderOf(scores.map((row) => dot(row, point)))] += 1 / NUM_POINTS;
  const error = spread * Math.SQRT2 * Math.sqrt(dot(weights, weights)), gaps = totals.map((t) => totals[leader] - t);
  return {
    totals, leader, gap: totals[leader] - Math.max(...totals.filter((_, i) => i !== leader)),
    shifts: turns.map((turn) => turn?.shift ?? null), nearest, level: nearest === null ? [] : turns[nearest].weights,
    bounds: boundsOf(scores, weights, leader), shares,
    chances: gaps.map((gap, i) => (i === leader ? 0 : error > 0 ? normal(-gap / error) : gap > LEVEL ? 0 : 0.5)),
  };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { options, criteria, words } = panel.state, num = criteria.length;
    const weightName = (k) => `weight_${k}`, scoreName = (i, k) => `score_${i}_${k}`, percent = (v) => format(v, "percent", 2);
    const rows = Object.fromEntries(criteria.map((name, k) => [num - 1 - k, name]));
    criteria.forEach((name, k) => panel.slider({ name: weightName(k), label: name, min: 0, max: 1, step: 0.01, value: panel.state.weights[k], show: percent }));
    panel.slider({ name: "spread", label: words.spread, min: 0, max: 3, step: 0.1, value: panel.state.spread, show: (v) => `±${format(v)}` });
    options.forEach((_, i) => criteria.forEach((_, k) => panel.register(scoreName(i, k), panel.state.scores[i][k],
      { show: () => {}, read: (t) => (Number.isFinite(Number(t)) ? Math.min(10, Math.max(0, Number(t))) : undefined) })));

    const keys = options.map((name, i) => ({ label: name, colour: COLOURS[i], dot: true })), y = { domain: [-0.5, num - 0.5], ticks: Object.keys(rows).map(Number), names: rows };
    const height = 56 + 44 * num, left = 106;
    const scores = panel.plot({ label: words.scores, keys, x: { domain: [0, 10], label: words.points }, y: { ...y }, height, left, right: 16 });
    const strips = panel.plot({ label: words.strips, x: { domain: [0, 1], label: words.weight, format: "percent" }, y: { ...y }, height, left, right: 20 });
    const bars = panel.plot({ label: words.totals, wide: true, x: { domain: [0, 10], label: words.total }, y: { domain: [-0.5, options.length - 0.5], ticks: options.map((_, i) => i),
      names: Object.fromEntries(options.map((name, i) => [options.length - 1 - i, name])) }, height: 44 + 34 * options.length, left, right: 60 });
    const begin = () => panel.begin(), lane = (i, k) => num - 1 - k + 0.13 * (options.length - 1 - 2 * i);
    const handles = options.map((option, i) => criteria.map((criterion, k) => scores.handle({ label: fill(words.score_of, { option, criterion }), colour: COLOURS[i], step: [0.5, 0], begin,
      onMove: ({ x }) => panel.set(scoreName(i, k), Math.min(10, Math.max(0, Math.round(x * 10) / 10))), text: (x) => fill(words.value_of, { value: format(x) }) })));

    const table = (values) => options.map((_, i) => criteria.map((_, k) => values[scoreName(i, k)]));
    const weightsOf = (values) => inParts(criteria.map((_, k) => values[weightName(k)]));
    let last = weightsOf(panel.values), kept = [...last];
    // One weight was moved: the others share the rest in their old proportions.
    const balance = (values) => {
      const now = criteria.map((_, k) => values[weightName(k)]), moved = now.map((v, k) => (Math.abs(v - last[k]) > 1e-9 ? k : -1)).filter((k) => k >= 0);
      if (moved.length === 1) {
        const k = moved[0], base = last.some((v, i) => i !== k && v > 1e-9) ? last : kept, others = othersOf(base, k);
        last = now.map((v, i) => (i === k ? v : (1 - now[k]) * others[i]));
      } else if (moved.length) last = inParts(now);
      if (last.every((v) => v > 1e-9)) kept = [...last];
      criteria.forEach((_, k) => panel.set(weightName(k), last[k]));
      return last;
    };
    panel.table(() => {
      const weights = weightsOf(panel.values), r = compute({ scores: table(panel.values), weights, spread: panel.values.spread });
      return { head: [words.option, ...criteria.map((name, k) => `${name} × ${percent(weights[k])}`), words.total, words.leads],
        rows: options.map((name, i) => [name, ...table(panel.values)[i].map((v) => format(v)), format(r.totals[i]), percent(r.shares[i])]) };
    });

    return panel.start((values, ghost) => {
      const weights = balance(values), points = table(values), r = compute({ scores: points, weights, spread: values.spread });
      const before = ghost && compute({ scores: table(ghost), weights: weightsOf(ghost), spread: ghost.spread });
      scores.paint((p) => points.forEach((row, i) => criteria.forEach((_, k) => p.line([0, row[k]], [lane(i, k), lane(i, k)], { colour: COLOURS[i], opacity: 0.35, width: 3 }))));
      points.forEach((row, i) => row.forEach((v, k) => handles[i][k](v, lane(i, k))));
      strips.paint((p) => criteria.forEach((_, k) => {
        const others = othersOf(weights, k), row = num - 1 - k, steps = 400;
        const leads = Array.from({ length: steps }, (_, s) => { const t = (s + 0.5) / steps; return leaderOf(points.map((o) => (1 - t) * dot(o, others) + t * o[k])); });
        for (let s = 0, from = 0; s < steps; s++) {
          if (s + 1 < steps && leads[s + 1] === leads[s]) continue;
          const low = row - 0.28, high = row + 0.28;
          p.band([from / steps, (s + 1) / steps], [low, low], [high, high], { colour: COLOURS[leads[s]], opacity: leads[s] === r.leader ? 0.75 : 0.3 });
          from = s + 1;
        }
        p.line([weights[k], weights[k]], [row - 0.42, row + 0.42], { colour: "ink", width: 2.6 });
      }));
      bars.paint((p) => r.totals.forEach((total, i) => {
        const row = options.length - 1 - i;
        p.band([0, total], [row - 0.3, row - 0.3], [row + 0.3, row + 0.3], { colour: COLOURS[i], opacity: i === r.leader ? 0.75 : 0.3 });
        if (before) p.line([before.totals[i], before.totals[i]], [row - 0.3, row + 0.3], { colour: "muted", width: 2 });
        p.text(total, row, format(total), { anchor: "start", dx: 6, dy: 4 });
      }));
      const rival = r.totals.map((t, i) => [t, i]).filter(([, i]) => i !== r.leader).sort((a, b) => b[0] - a[0])[0][1];
      const shown = { leader: options[r.leader], second: options[rival], total: format(r.totals[r.leader]), gap: format(r.gap, "number", 2), share: percent(r.shares[r.leader]),
        spread: format(values.spread), chance: percent(r.chances[rival]) };
      let turn = r.nearest === null ? words.never : words.tied;
      if (r.shifts[r.nearest] > LEVEL) {
        const change = minus(r.level, weights), at = (v) => criteria[change.indexOf(v)];
        turn = fill(words.turn, { shift: percent(r.shifts[r.nearest]), rival: options[r.nearest], giver: at(Math.min(...change)), receiver: at(Math.max(...change)) });
      }
      panel.say([fill(words.status, shown), turn, values.spread > 0 ? fill(words.chance, shown) : ""].join(" ").trim());
    });
  },
};
