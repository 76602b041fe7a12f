// Three planners in one frame: a training run, a service, a venture's cash. Each quantity is a slider, each plan a sentence.
import { Panel, extent, fill, format } from "./core.mjs";
import { cashPaths, decodeStep, deviceHours, duration, energyKwh, minDevices, prefillRate, pricePerMillion, quantile, ruinByMonth, trainingFlops } from "./economics.mjs";

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95];

export function training(p) {
  const flops = trainingFlops(p.parameters * p.active_share, p.tokens) * (1 + p.overhead);
  const hours = deviceHours(flops, p.flops_per_second, p.utilisation), energy = energyKwh(hours, p.watts, p.pue);
  const fewest = minDevices(16 * p.parameters, p.memory_bytes, p.memory_share);
  return { flops, device_hours: hours, days: hours / p.devices / 24, min_devices: fewest, fits: p.devices >= fewest ? 1 : 0,
    cost: hours * p.price_per_hour, cost_low: hours * p.price_low, cost_high: hours * p.price_high,
    energy_kwh: energy, energy_cost: energy * p.electricity };
}

export function serving(p) {
  const active = p.parameters * p.active_share, peak = p.devices * p.flops_per_second, rent = p.devices * p.price_per_hour;
  const sequence = p.kv_bytes_per_token * (p.input_tokens + p.output_tokens), memory = p.bytes_per_parameter * p.parameters + p.batch * sequence;
  const step = decodeStep({ batch: p.batch, active, parameters: p.parameters, bytes_per_parameter: p.bytes_per_parameter, kv_bytes_per_token: p.kv_bytes_per_token,
    context: p.input_tokens + p.output_tokens / 2, peak, bandwidth: p.devices * p.bandwidth, utilisation: p.decode_utilisation });
  const input_rate = prefillRate(active, peak, p.prefill_utilisation);
  const cost_input = pricePerMillion(rent, input_rate, p.load), cost_output = pricePerMillion(rent, p.batch / step, p.load);
  const cost = ((1 - p.cached_share) * p.input_tokens * cost_input + p.output_tokens * cost_output) / 1e6;
  const revenue = (p.input_tokens * ((1 - p.cached_share) * p.input_price + p.cached_share * p.cached_price) + p.output_tokens * p.output_price) / 1e6;
  return { input_rate, output_rate: p.batch / step, stream_rate: 1 / step, cost_input, cost_output, cost, revenue, gross_margin: (revenue - cost) / revenue,
    memory_bytes_needed: memory, fits: memory <= p.devices * p.memory_bytes * p.memory_share ? 1 : 0 };
}

export function runway(p) {
  const paths = cashPaths(p), quantiles = LEVELS.map(() => []);
  for (let month = 0; month <= p.months; month++) {
    const sorted = Float64Array.from(paths, (path) => path[month]).sort();
    LEVELS.forEach((level, i) => quantiles[i].push(quantile(sorted, level)));
  }
  return { quantiles, ruin: ruinByMonth(paths), expected: cashPaths({ ...p, draws: [[0, 0, 0]] })[0], burn: p.fixed_costs - p.margin * p.monthly_revenue };
}

export function compute({ view, ...params }) {
  return { training, serving, runway }[view](params);
}

const size = (bytes) => (bytes >= 1e12 ? `${format(bytes / 1e12)} TB` : `${format(bytes / 1e9)} GB`);

function drawTraining(panel, words, params) {
  const days = [0.01, 1e5], grid = Array.from({ length: 61 }, (_, i) => 10 ** ((i * 5) / 60));
  const plot = panel.plot({ label: words.plot, wide: true, height: 280, left: 54, right: 24, keys: [{ label: words.time, colour: "blue" }, { label: words.here, colour: "blue", dot: true }],
    x: { domain: [1, 1e5], scale: "log", label: words.devices }, y: { domain: days, scale: "log", label: words.days } });
  const begin = () => panel.begin();
  plot.onDrag(({ x }) => panel.set("devices", Math.max(1, Math.round(x))), { begin });
  return (values, ghost) => {
    const r = training(params(values)), line = (v) => { const hours = training(params(v)).device_hours; return grid.map((n) => hours / n / 24); };
    plot.paint((p) => {
      if (r.min_devices > 1) p.region(1, Math.min(r.min_devices, 1e5), { colour: "red" });
      p.rule({ x: r.min_devices, label: words.fewest, colour: "red" });
      for (const [d, name] of [[1, words.day], [30, words.month], [365, words.year]]) p.rule({ y: d, label: name });
      if (ghost) p.line(grid, line(ghost), { opacity: 0.25 });
      p.line(grid, line(values));
      p.mark(values.devices, r.days, { label: duration(r.days, words, format) });
    });
    const device = params(values);
    panel.say(fill(words.status, { flops: format(r.flops, "scientific"), devices: format(values.devices, "integer"), device: device.title, time: duration(r.days, words, format),
      hours: format(r.device_hours, "words"), low: format(r.cost_low, "money"), cost: format(r.cost, "money"), high: format(r.cost_high, "money"), date: device.date,
      energy: format(r.energy_kwh / 1000), power: format(r.energy_cost, "money") }) + " " + fill(r.fits ? words.fits : words.small, { fewest: format(r.min_devices, "integer") }));
  };
}

function drawServing(panel, words, params) {
  const batches = Array.from({ length: 41 }, (_, i) => Math.round(10 ** (i / 10)));
  const cost = panel.plot({ label: words.plot, height: 270, left: 50, right: 24, keys: [{ label: words.output, colour: "blue" }, { label: words.input, colour: "green" }, { label: words.price, colour: "orange", dashed: true }],
    x: { domain: [1, 1e4], scale: "log", label: words.batch }, y: { domain: [0.01, 1000], scale: "log", label: words.per_million } });
  const speed = panel.plot({ label: words.speed, height: 270, left: 50, right: 24, keys: [{ label: words.stream, colour: "purple" }],
    x: { domain: [1, 1e4], scale: "log", label: words.batch }, y: { domain: [0.1, 10000], scale: "log", label: words.tokens_per_second } });
  for (const plot of [cost, speed]) plot.onDrag(({ x }) => panel.set("batch", Math.max(1, Math.round(x))), { begin: () => panel.begin() });
  return (values, ghost) => {
    const at = (v) => batches.map((batch) => serving(params({ ...v, batch }))), now = at(values), before = ghost ? at(ghost) : null, r = serving(params(values));
    const last = batches.findIndex((_, i) => !now[i].fits), limit = last < 0 ? 1e4 : batches[Math.max(0, last)];
    const draw = (p, key, colour) => {
      if (before) p.line(batches, before.map((q) => q[key]), { colour, opacity: 0.25 });
      p.line(batches, now.map((q) => q[key]), { colour });
      p.mark(values.batch, r[key], { colour });
    };
    const full = (p) => { if (limit < 1e4) { p.region(limit, 1e4); p.rule({ x: limit, label: words.full, colour: "red" }); } };
    cost.paint((p) => { full(p); p.rule({ y: values.output_price, colour: "orange", dash: "5 4" }); draw(p, "cost_input", "green"); draw(p, "cost_output", "blue"); });
    speed.paint((p) => { full(p); draw(p, "stream_rate", "purple"); });
    const device = params(values);
    panel.say(fill(words.status, { devices: format(values.devices, "integer"), device: device.title, rate: format(r.output_rate, "integer"), stream: format(r.stream_rate), input: format(r.cost_input),
      output: format(r.cost_output), margin: format(r.gross_margin, "percent"), load: format(values.load, "percent"), thousand: format(r.cost * 1000, "money") })
      + (r.fits ? "" : " " + fill(words.small, { memory: size(r.memory_bytes_needed) })));
  };
}

function drawRunway(panel, words, params) {
  const cash = panel.plot({ label: words.plot, height: 270, left: 56, keys: [{ label: words.band, colour: "blue" }, { label: words.expected, colour: "orange", dashed: true }],
    x: { domain: [0, 36], label: words.month }, y: { domain: [-1, 1], label: words.cash_axis, format: "si" } });
  const ruin = panel.plot({ label: words.ruin, height: 270, left: 48, x: { domain: [0, 36], label: words.month }, y: { domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format: "percent", label: words.share } });
  return (values, ghost) => {
    const r = runway(params(values)), before = ghost ? runway(params(ghost)) : null, months = r.expected.map((_, i) => i);
    const [low, high] = extent([...r.quantiles[0], ...r.quantiles[4], 0]);
    cash.frame({ x: { domain: [0, values.months] }, y: { domain: [low, high] } });
    ruin.frame({ x: { domain: [0, values.months] } });
    cash.paint((p) => {
      p.band(months, r.quantiles[0], r.quantiles[4], { opacity: 0.13 });
      p.band(months, r.quantiles[1], r.quantiles[3], { opacity: 0.2 });
      p.rule({ y: 0, colour: "red", dash: "none" });
      if (before) p.line(before.expected.map((_, i) => i), before.quantiles[2], { opacity: 0.25 });
      p.line(months, r.expected, { colour: "orange", dash: "5 4" });
      p.line(months, r.quantiles[2]);
    });
    ruin.paint((p) => {
      if (before) p.line(before.ruin.map((_, i) => i), before.ruin, { colour: "red", opacity: 0.25 });
      p.line(months, r.ruin, { colour: "red", width: 2.5 });
    });
    const half = r.ruin.findIndex((share) => share >= 0.5), end = r.ruin[values.months];
    panel.say(fill(words.status, { burn: format(r.burn, "money"), simple: r.burn > 0 ? format(values.cash / r.burn) : "∞", share: format(end, "percent"), months: format(values.months, "integer"),
      median: format(r.quantiles[2][values.months], "money") }) + " " + (half < 0 ? words.survive : fill(words.half, { half: format(half, "integer") })));
  };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { view, words, sliders, accelerators, fixed } = panel.state;
    if (accelerators) {
      const device = panel.select({ name: "accelerator", label: words.accelerator, value: panel.state.accelerator, choices: accelerators.map((a) => [a.name, a.title]) });
      // Another device brings its own rent; the slider then moves it.
      device.input.addEventListener("change", () => panel.set("price_per_hour", accelerators.find((a) => a.name === panel.values.accelerator).price_median));
    }
    for (const slider of sliders) panel.slider(slider);
    const params = (values) => ({ ...fixed, ...(accelerators?.find((a) => a.name === values.accelerator) ?? {}), ...values });
    const draw = { training: drawTraining, serving: drawServing, runway: drawRunway }[view](panel, words, params);
    panel.table(() => {
      const r = compute({ view, ...params(panel.values) });
      if (view !== "runway") return { head: [words.quantity, words.value], rows: Object.entries(r).map(([key, v]) => [words.results[key], format(v, v >= 1e15 ? "scientific" : "words")]) };
      return { head: [words.month, words.expected, "5 %", "50 %", "95 %", words.share], rows: r.ruin.map((share, i) => [format(i, "integer"), format(r.expected[i], "integer"),
        ...[0, 2, 4].map((q) => format(r.quantiles[q][i], "integer")), format(share, "percent")]) };
    });
    return panel.start(draw);
  },
};
