// Rent, retrieve, tune, distil or train: the cheapest route over volume and quality, and what each costs at one point.
import { Panel, colours, element, fill, format } from "./core.mjs";
import { decodeStep, deviceHours, prefillRate, trainingFlops } from "./economics.mjs";

const DAYS = 30, HOURS = 720, COLOURS = ["blue", "sky", "orange", "green", "purple"];

// The functions below follow helpers/economics/routes.py and choices.py line by line.
function examplesFor(quality, r) {
  if (quality <= r.start) return 0;
  if (quality >= r.ceiling) return Infinity;
  return r.scale * (((r.ceiling - r.start) / (r.ceiling - quality)) ** (1 / r.exponent) - 1);
}

function monthsPaid(change, discount, start, stop) {
  const factor = ((1 + change) / (1 + discount)) ** (1 / 12);
  if (Math.abs(factor - 1) < 1e-12) return stop - start;
  return (factor ** start * (1 - factor ** (stop - start))) / (1 - factor);
}

const each = (needed, cost) => (Number.isFinite(needed) ? needed * cost : Infinity);

function tokens(r, s) {
  const cached = s.cached_share * s.input_tokens;
  return [s.input_tokens - cached + (r.passages ? s.passage_tokens : 0), cached];
}

function requestPrice(r, s) {
  const [fresh, cached] = tokens(r, s);
  return (fresh * s.input_price + cached * s.cached_price + s.output_tokens * s.output_price) / 1e6;
}

function rates(r, s) {
  const peak = r.devices * s.flops_per_second, context = s.input_tokens + (r.passages ? s.passage_tokens : 0) + s.output_tokens / 2;
  const step = decodeStep({ batch: r.batch, active: r.parameters, parameters: r.parameters, bytes_per_parameter: 2, kv_bytes_per_token: r.kv_bytes_per_token,
    context, peak, bandwidth: r.devices * s.bandwidth, utilisation: s.decode_utilisation });
  return [s.reserve / prefillRate(r.parameters, peak, s.prefill_utilisation), s.reserve * step];
}

function deviceSeconds(r, s) {
  const [reading, step] = rates(r, s);
  return r.devices * (tokens(r, s)[0] * reading + (s.output_tokens * step) / r.batch);
}

function answerSeconds(r, s) {
  if (r.vendor) return s.vendor_seconds;
  const [reading, step] = rates(r, s);
  return tokens(r, s)[0] * reading + s.output_tokens * step;
}

function upfront(r, s, quality) {
  const needed = examplesFor(quality, r), build = r.build * s.person_month;
  if (r.vendor) return { build, data: each(needed, 0), compute: 0 };
  const example = r.teacher ? s.teacher_answers * requestPrice(r, s) : s.label;
  const read = s.input_tokens + (r.passages ? s.passage_tokens : 0) + s.output_tokens;
  const hours = deviceHours(trainingFlops(r.parameters, read * r.epochs * r.trials), s.flops_per_second, s.training_utilisation);
  return { build, data: each(needed, example), compute: r.pretraining_hours * s.rent + each(needed, hours * s.rent) };
}

function running(r, s, volume) {
  const steady = monthsPaid(0, s.discount, 0, s.months), people = r.staff * s.person_month * steady;
  if (r.vendor) return { people, serving: DAYS * volume * requestPrice(r, s) * monthsPaid(-s.price_decline, s.discount, 0, s.months) };
  const fleet = Math.max(r.devices, (volume * deviceSeconds(r, s)) / (86400 * s.load)), own = Math.min(fleet, s.idle_devices);
  const rented = (fleet - own) * s.rent * monthsPaid(s.rent_change, s.discount, 0, s.months);
  return { people, serving: HOURS * (rented + own * s.idle_hour * steady) };
}

const switching = (r, s) => (s.current && s.current !== r.name ? s.switching_cost : 0);
const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);

function gates(r, s) {
  const shut = [];
  if (!s.data_may_leave && (r.vendor || r.teacher)) shut.push("data");
  if (!s.may_train_on_data && !r.vendor) shut.push("rights");
  if (!s.may_train_on_answers && r.teacher) shut.push("terms");
  if (!s.may_use_weights && r.weights) shut.push("weights");
  if (answerSeconds(r, s) > s.max_seconds) shut.push("latency");
  if (r.build > s.people * s.deadline) shut.push("deadline");
  if (examplesFor(s.quality, r) === Infinity) shut.push("quality");
  return shut;
}

const cheapest = (costs) => costs.reduce((best, c, i) => (c < (costs[best] ?? Infinity) ? i : best), -1);

// Equal to Choices.compute in Python: for each route its cost (null where excluded), gates, examples; the map's winners.
export function compute({ routes, volumes, qualities, ...s }) {
  const shut = routes.map((r) => gates(r, s));
  const parts = routes.map((r) => ({ ...upfront(r, s, s.quality), ...running(r, s, s.volume), switching: switching(r, s) }));
  const costs = parts.map((p, i) => (shut[i].length ? Infinity : sum(p))), best = cheapest(costs);
  const open = shut.map((names) => names.every((name) => name === "quality"));
  const by_volume = routes.map((r, i) => (open[i] ? volumes.map((v) => sum(running(r, s, v)) + switching(r, s)) : null));
  const by_quality = routes.map((r, i) => (open[i] ? qualities.map((q) => sum(upfront(r, s, q))) : null));
  const row = new Array(routes.length);
  const map = qualities.map((_, j) => volumes.map((_, i) => {
    for (let k = 0; k < row.length; k++) row[k] = open[k] ? by_volume[k][i] + by_quality[k][j] : Infinity;
    return cheapest(row);
  }));
  const finite = (v) => (Number.isFinite(v) ? v : null);
  return { costs: costs.map(finite), gates: shut, examples: routes.map((r) => finite(examplesFor(s.quality, r))),
    seconds: routes.map((r) => answerSeconds(r, s)), parts: parts.map((p) => Object.values(p).map(finite)), best, map };
}

function regions(map) {
  const found = new Map();
  map.forEach((row, j) => row.forEach((k, i) => {
    const one = found.get(k) ?? { count: 0, across: 0, up: 0 };
    one.count += 1; one.across += i; one.up += j;
    found.set(k, one);
  }));
  return found;
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const between = (low, high, n, log) => Array.from({ length: n }, (_, i) => (log ? low * (high / low) ** ((i + 0.5) / n) : low + ((high - low) * (i + 0.5)) / n));

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, routes, fixed, prices, sliders, more, checks, axes } = panel.state;
    const label = (i) => words.routes[routes[i].name] ?? routes[i].name;
    for (const slider of sliders) panel.slider(slider);
    const begin = () => panel.begin();
    const map = panel.plot({ label: words.map, height: 330, left: 50, right: 20, wide: true, keys: routes.map((_, i) => ({ label: label(i), colour: COLOURS[i], dot: true })),
      x: { domain: axes.volume, scale: "log", label: words.volume }, y: { domain: axes.quality, format: "percent", label: words.quality } });
    map.onDrag(({ x, y }) => panel.setMany({ volume: x, quality: Number(y.toPrecision(3)) }), { begin });
    const bars = panel.plot({ label: words.bars, height: 265, left: 8, right: 20, wide: true, keys: [{ label: words.before, colour: "orange" }, { label: words.people, colour: "grey" }, { label: words.serving, colour: "blue" }],
      x: { domain: [0, 1], format: "money", label: words.money }, y: { domain: [0, routes.length], ticks: [] } });
    const below = element("div", { class: "ce-controls" });
    panel.foot.before(below);
    for (const slider of more) panel.slider({ ...slider, place: below });
    panel.select({ name: "current", label: words.current, choices: [["", words.none], ...routes.map((r, i) => [r.name, label(i)])], value: panel.state.current, place: below });
    for (const check of checks) panel.checkbox({ ...check, place: below });

    const params = (v) => {
      const { price_factor, ...rest } = v, scaled = Object.fromEntries(Object.entries(prices).map(([key, value]) => [key, value * price_factor]));
      return { routes, volumes: [], qualities: [], ...fixed, ...scaled, ...rest };
    };
    const nx = 140, ny = 70, volumes = between(...axes.volume, nx, true), qualities = between(...axes.quality, ny, false);
    const money = (v) => format(v, "money", 3);
    const why = (names) => names.map((name) => words.gates[name]).join(", ");
    panel.table(() => {
      const r = compute(params(panel.values));
      return { head: [words.route, words.money, words.examples, words.seconds, words.excluded],
        rows: routes.map((_, i) => [label(i), format(r.costs[i], "integer"), r.examples[i] === null ? "∞" : format(r.examples[i], "integer"), format(r.seconds[i]), why(r.gates[i])]) };
    });
    return panel.start((values, ghost) => {
      const r = compute({ ...params(values), volumes, qualities }), palette = colours();
      const paints = routes.map((_, i) => [...rgb(palette[COLOURS[i]]), 120]), nothing = [...rgb(palette.muted), 40];
      map.paint((p) => {
        p.picture(nx, ny, (i, j) => (r.map[j][i] < 0 ? nothing : paints[r.map[j][i]]));
        for (const [k, { count, across, up }] of regions(r.map)) {  // the name of a region in its middle
          const i = Math.round(across / count), j = Math.round(up / count);
          if (count > (nx * ny) / 100 && r.map[j][i] === k) p.text(volumes[i], qualities[j], k < 0 ? words.nothing : label(k), { anchor: "middle", dy: 4 });
        }
        if (ghost) p.points([ghost.volume], [ghost.quality], { colour: "ink", size: 5, hollow: true, opacity: 0.5 });
        p.mark(values.volume, values.quality, { colour: "red", size: 6.5 });
      });
      const most = Math.max(1, ...r.costs.filter((c) => c !== null));
      bars.frame({ x: { domain: [0, most * 1.04] } });
      bars.paint((p) => routes.forEach((_, i) => {
        const low = routes.length - 1 - i + 0.12, high = low + 0.36, chosen = i === r.best ? " ●" : "";
        if (r.costs[i] === null) return void p.text(0, high + 0.08, `${label(i)}: ${words.excluded}, ${why(r.gates[i])}`, { anchor: "start", dy: -2 });
        const [build, data, hours, people, serving, moved] = r.parts[i];
        let at = 0;
        for (const [size, colour] of [[build + data + hours + moved, "orange"], [people, "grey"], [serving, "blue"]]) {
          p.band([at, at + size], [low, low], [high, high], { colour, opacity: 0.85 });
          at += size;
        }
        p.text(0, high + 0.08, `${label(i)}: ${money(r.costs[i])}${chosen}`, { anchor: "start", dy: -2 });
      }));
      const place = { volume: format(values.volume, "integer"), quality: format(values.quality, "percent") };
      if (r.best < 0) return panel.say(fill(words.status_none, { ...place, why: routes.map((_, i) => `${label(i)}: ${why(r.gates[i])}`).join("; ") }));
      const order = [...routes.keys()].filter((i) => r.costs[i] !== null).sort((a, b) => r.costs[a] - r.costs[b]);
      const second = order.length > 1 ? fill(words.second, { route: label(order[1]), cost: money(r.costs[order[1]]) }) : words.alone;
      panel.say(`${fill(words.status, { ...place, route: label(r.best), cost: money(r.costs[r.best]), examples: r.examples[r.best] ? fill(words.some, { examples: format(r.examples[r.best], "integer") }) : words.no_examples,
        thousand: format((1000 * r.costs[r.best]) / (values.volume * DAYS * fixed.months), "money") })} ${second}`);
    });
  },
};
