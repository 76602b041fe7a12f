// A venture's whole plan: assumptions drawn evenly, cash month by month, sensitivity, causes of death.
import { Panel, extent, fill, format } from "./core.mjs";
import { quantile, ruinByMonth } from "./economics.mjs";

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95], DAYS_A_MONTH = 21;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Columns of a Latin hypercube: each holds (k + ½)/num once, in the order of a hash; as helpers.economics.latin.
const known = new Map();
function latin(num, size) {
  const key = `${num} ${size}`;
  if (!known.has(key)) known.set(key, Array.from({ length: size }, (_, d) => {
    const hashes = Array.from({ length: num }, (_, k) => {
      let h = (Math.imul(k, 0x9e3779b1) + Math.imul(d + 1, 0x7feb352d)) | 0;
      h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      return (h ^ (h >>> 16)) >>> 0;
    });
    const order = Array.from({ length: num }, (_, k) => k).sort((i, j) => hashes[i] - hashes[j]);
    return Float64Array.from(order, (k) => (k + 0.5) / num);
  }));
  return known.get(key);
}

// The values of one input: triangular between low and high, or the quantiles of the schedule.
function valuesOf(name, column, { ranges, days }) {
  if (name === "tasks") {
    const last = days.length - 1;
    return column.map((u) => { const at = u * last, i = Math.min(Math.floor(at), last - 1); return days[i] + (days[i + 1] - days[i]) * (at - i); });
  }
  const [low, likely, high] = ranges[name], width = high - low;
  if (width === 0) return new Float64Array(column.length).fill(likely);
  const peak = (likely - low) / width;
  return column.map((u) => low + width * (u <= peak ? Math.sqrt(u * peak) : 1 - Math.sqrt((1 - u) * (1 - peak))));
}

const servingOf = (v) => (v.questions * (v.tokens_in * v.input_price + v.tokens_out * v.output_price)) / 1e6;

// Cash at the start and after each month, as helpers.economics.plan_paths.month_by_month.
function follow(v, months) {
  const launch = (v.tasks * v.slip) / DAYS_A_MONTH, building = Math.max(launch, 1);
  const once = (v.gpu_hours * v.rent + v.data) / building;
  const fixed = v.team * v.cost_per_person + v.other_costs, hired = v.hires * v.cost_per_person;
  const running = v.marketing + v.gpu_hours_after * v.rent, won = v.marketing / v.acquisition_cost;
  const lost = Math.min(1, v.churn + v.churn_unserved * (1 - v.right));
  const priceFactor = (1 + v.price_change) ** (1 / 12), tokenFactor = (1 + v.token_price_change) ** (1 / 12);
  let price = v.price * (1 - v.fees), tokens = servingOf(v), cash = v.cash, customers = 0, before = 0;
  const path = new Float64Array(months + 1);
  path[0] = cash;
  for (let month = 1; month <= months; month++) {
    const live = clamp(month - launch, 0, 1), room = Math.max(0, 1 - customers / v.market_size);
    const fresh = (live - before) * v.first_customers + live * (won + v.referral * customers) * room;
    customers += fresh - live * lost * customers;
    cash += customers * (price - tokens - v.support) - fixed - hired * Math.max(0, month - launch);
    cash -= live * running + once * clamp(building - month + 1, 0, 1) + v.setup * fresh;
    price *= priceFactor;
    tokens *= tokenFactor;
    before = live;
    path[month] = cash;
  }
  return path;
}

const lowest = (path) => { let least = path[0]; for (const cash of path) if (cash < least) least = cash; return least; };

// Row k of columns of values.
const row = (names, columns, k) => { const v = {}; names.forEach((name, i) => { v[name] = columns[i][k]; }); return v; };

// First-order and total indices of the lowest cash, as helpers.economics.sobol.
export function indices(p) {
  const { inputs, months, num_points: num } = p, points = latin(num, 2 * inputs.length);
  const a = inputs.map((name, i) => valuesOf(name, points[i], p)), b = inputs.map((name, i) => valuesOf(name, points[inputs.length + i], p));
  const run = (columns) => Float64Array.from({ length: num }, (_, k) => lowest(follow(row(inputs, columns, k), months)));
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;
  let atA = run(a), atB = run(b);
  const centre = (mean(atA) + mean(atB)) / 2;
  [atA, atB] = [atA.map((x) => x - centre), atB.map((x) => x - centre)];
  const middle = (mean(atA) + mean(atB)) / 2, variance = (mean(atA.map((x) => x * x)) + mean(atB.map((x) => x * x))) / 2 - middle ** 2;
  const first = {}, total = {};
  inputs.forEach((name, i) => {
    if (name === "tasks" ? p.days[0] === p.days[p.days.length - 1] : p.ranges[name][0] === p.ranges[name][2]) return;
    const mixed = run(a.map((column, j) => (j === i ? b[j] : column)));
    let one = 0, all = 0;
    for (let k = 0; k < num; k++) { const changed = mixed[k] - centre; one += atB[k] * (changed - atA[k]); all += (atA[k] - changed) ** 2 / 2; }
    first[name] = variance > 0 ? one / num / variance : 0;
    total[name] = variance > 0 ? all / num / variance : 0;
  });
  return { first, total };
}

// Everything but the indices.
export function simulated(p) {
  const { inputs, months, num, ranges, days } = p, points = latin(num, inputs.length);
  const columns = inputs.map((name, i) => valuesOf(name, points[i], p));
  const paths = Array.from({ length: num }, (_, k) => follow(row(inputs, columns, k), months)), quantiles = LEVELS.map(() => []);
  for (let month = 0; month <= months; month++) {
    const sorted = Float64Array.from(paths, (path) => path[month]).sort();
    LEVELS.forEach((level, i) => quantiles[i].push(quantile(sorted, level)));
  }
  const missing = Float64Array.from(paths, (path) => Math.max(0, -lowest(path))).sort();
  const slip = columns[inputs.indexOf("slip")], launch = columns[inputs.indexOf("tasks")].map((d, k) => (d * slip[k]) / DAYS_A_MONTH).sort();
  const middle = Object.fromEntries(inputs.map((name) => [name, name === "tasks" ? quantile(days, 0.5) : ranges[name][1]]));
  const profit = middle.price * (1 - middle.fees) - servingOf(middle) - middle.support, ruin = ruinByMonth(paths);
  return { quantiles, ruin, likely: [...follow(middle, months)], launch: [0.5, 0.95].map((q) => quantile(launch, q)), losing: paths.filter((path) => path[months] < path[months - 1]).length / num, missing: [0.5, 0.9].map((q) => quantile(missing, q)),
    profit, payback: profit > 0 ? (middle.acquisition_cost + middle.setup) / profit : null, causes: causesOf(ruin, p) };
}

// The chance of each cause within the horizon; running out of cash is the plan's own.
function causesOf(ruin, { causes, ended, alive }) {
  const last = alive.length - 1, funded = 1 - ruin[last], found = {};
  const dying = Array.from({ length: last + 1 }, (_, k) => ruin[k] - (k ? ruin[k - 1] : 0));
  const over = (share) => dying.reduce((sum, d, k) => sum + d * share[k], 0);
  causes.forEach((name, i) => { found[name] = over(ended[i]) + funded * ended[i][last]; });
  found.capital = over(alive);
  found.alive = funded * alive[last];
  return found;
}

export function compute(p) {
  return { ...simulated(p), ...(p.num_points ? indices(p) : {}) };
}

// Horizontal bars with names: rows of { name, value, colour }.
function bars(plot, rows, show) {
  const names = Object.fromEntries(rows.map((r, i) => [rows.length - i, r.name]));
  plot.frame({ x: { domain: [0, Math.max(0.2, ...rows.map((r) => r.value)) * 1.35] }, y: { domain: [0.4, rows.length + 0.6], ticks: rows.map((_, i) => rows.length - i), names } });
  plot.paint((p) => rows.forEach((r, i) => {
    const y = rows.length - i;
    if (r.value > 0) p.line([0, r.value], [y, y], { colour: r.colour, width: 11 });
    p.text(Math.max(0, r.value), y, show(r.value), { anchor: "start", dx: 9, dy: 4 });
  }));
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, names, sliders, ranges, fixed } = panel.state;
    for (const slider of sliders) panel.slider(slider);
    const horizon = fixed.alive.length - 1, percent = (v) => format(v, "percent", 2);
    const cash = panel.plot({ label: words.cash, height: 250, left: 56, keys: [{ label: words.band, colour: "blue" }, { label: words.likely, colour: "orange", dashed: true }],
      x: { domain: [0, fixed.months], label: words.month }, y: { domain: [-1, 1], label: words.usd, format: "si" } });
    const ruin = panel.plot({ label: words.ruin, height: 250, left: 48, x: { domain: [0, fixed.months], label: words.month },
      y: { domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format: "percent", label: words.share } });
    const hangs = panel.plot({ label: words.hangs, height: 230, left: 138, x: { domain: [0, 1], label: words.total }, y: { domain: [0, 6] } });
    const ends = panel.plot({ label: fill(words.ends, { months: horizon }), height: 230, left: 96, x: { domain: [0, 1], format: "percent", label: words.chance }, y: { domain: [0, 8] } });
    // A slider moves the likely value, and the ends in proportion; the last slider widens all ranges around it.
    const params = (values) => {
      const moved = {};
      for (const [key, r] of Object.entries(ranges)) {
        const likely = values[key] ?? r.likely, factor = r.likely === 0 ? 1 : likely / r.likely;
        const low = Math.min(likely, clamp(r.low * factor, r.min, r.max)), high = Math.max(likely, clamp(r.high * factor, r.min, r.max));
        moved[key] = [clamp(likely + values.spread * (low - likely), r.min, r.max), likely, clamp(likely + values.spread * (high - likely), r.min, r.max)];
      }
      return { ...fixed, ranges: moved, days: fixed.days };
    };
    let timer = 0, shadow = {};
    const shadowOf = (ghost) => { const key = JSON.stringify(ghost); if (shadow.key !== key) shadow = { key, plan: simulated(params(ghost)) }; return shadow.plan; };
    panel.cleanups.push(() => clearTimeout(timer));
    const ranked = ({ total }) => Object.entries(total).sort((a, b) => b[1] - a[1]).slice(0, 6);
    const months = Array.from({ length: fixed.months + 1 }, (_, i) => i);
    panel.table(() => {
      const r = compute(params(panel.values));
      return { head: [words.month, words.likely, "5 %", "50 %", "95 %", words.share], rows: months.map((m) => [format(m, "integer"), format(r.likely[m], "integer"),
        ...[0, 2, 4].map((q) => format(r.quantiles[q][m], "integer")), format(r.ruin[m], "percent")]) };
    });
    return panel.start((values, ghost) => {
      const p = params(values), r = simulated(p), before = ghost ? shadowOf(ghost) : null;
      const [low, high] = extent([...r.quantiles[0], ...r.quantiles[4], 0]);
      cash.frame({ y: { domain: [low, high] } });
      cash.paint((c) => {
        c.band(months, r.quantiles[0], r.quantiles[4], { opacity: 0.13 });
        c.band(months, r.quantiles[1], r.quantiles[3], { opacity: 0.2 });
        c.rule({ y: 0, colour: "red", dash: "none" });
        if (before) c.line(months, before.quantiles[2], { opacity: 0.25 });
        c.line(months, r.likely, { colour: "orange", dash: "5 4" });
        c.line(months, r.quantiles[2]);
      });
      ruin.paint((c) => { if (before) c.line(months, before.ruin, { colour: "red", opacity: 0.25 }); c.line(months, r.ruin, { colour: "red", width: 2.5 }); });
      const chances = Object.entries(r.causes).filter(([name]) => name !== "alive").sort((a, b) => b[1] - a[1]);
      bars(ends, [...chances.map(([name, value]) => ({ name, value, colour: name === "capital" ? "red" : "purple" })), { name: words.alive, value: r.causes.alive, colour: "green" }], percent);
      const sentence = fill(words.status, { launch: format(r.launch[0], "number", 2), late: format(r.launch[1], "number", 2), profit: format(r.profit), payback: r.payback === null ? "∞" : format(r.payback, "number", 2),
        share: percent(r.ruin[fixed.months]), losing: percent(r.losing), paths: fixed.num, months: fixed.months, need: format(r.missing[1], "money"), horizon, cause: chances[0][0], chance: percent(chances[0][1]) });
      panel.say(sentence);
      clearTimeout(timer);
      timer = setTimeout(() => {
        const found = ranked(indices(p));
        bars(hangs, found.map(([name, value]) => ({ name: names[name], value, colour: "blue" })), (v) => format(v, "number", 2));
        panel.say(`${sentence} ${found.length ? fill(words.three, { names: found.slice(0, 3).map(([name]) => names[name]).join(", ") }) : words.none}`);
      }, 60);
    });
  },
};
