// A training run on 1 to 16,384 devices: the model of helpers.economics.parallelism and interruptions, line by line.
import { Panel, fill, format } from "./core.mjs";
import { duration } from "./economics.mjs";

const ring = (bytes, n) => ((2 * (n - 1)) / n) * bytes;
const NAMES = ["days", "step_seconds", "utilisation", "bubble", "exposed", "useful", "failures", "device_hours", "cost", "memory", "fits"];

export function compute(c) {
  const { num_layers, d_model, devices, tensor: t, pipeline: p, batch, full } = c;
  if (devices < t * p) return Object.fromEntries(["possible", ...NAMES].map((name) => [name, 0]));
  const width = (c.num_kv_heads * d_model) / c.num_heads, blocks = 2 * d_model * d_model + 2 * d_model * width + 3 * d_model * c.d_ff;
  const parameters = num_layers * (blocks + 2 * d_model) + d_model + 2 * c.vocabulary * d_model;
  const scores = 4 * c.context * d_model * num_layers, forward = 2 * num_layers * blocks + scores + 2 * c.vocabulary * d_model;
  const d = Math.floor(devices / (t * p)), layers = Math.ceil(num_layers / p), v = p > 1 ? Math.min(c.max_chunks, layers) : 1;
  const part = layers / num_layers / t, passes = full ? 4 : 3 + scores / forward;
  const compute_ = (passes * forward * c.context * part) / (c.peak * c.kernel_share), hidden = 2 * c.context * d_model;
  const inside = ((full ? 6 : 4) * layers * ring(hidden, t)) / (t <= c.node ? c.fast : c.slow);
  const sends = p > 1 ? (2 * v * hidden) / t / c.slow : 0, m = Math.ceil(batch / d);
  const bubble = ((compute_ + inside + sends) * (p - 1)) / v;
  const wire = devices <= c.node ? c.fast : Math.min(c.fast, c.slow * Math.max(1, Math.floor(c.node / t)));
  const data = Math.max(0, ring(2 * parameters * part, d) / wire - (compute_ * (passes - 1)) / passes);
  const seconds = m * (compute_ + inside + sends) + bubble + data, work = (batch * c.context) / (devices * c.peak * seconds);
  const waiting = Math.min(m, p) * (v > 1 ? 1 + (p - 1) / (p * v) : 1);
  const memory = parameters * part * (4 + 12 / d) + waiting * layers * c.context * d_model * (full ? 2 : 34 / t);
  const mean = (c.hours_between_failures * 3600) / devices, interval = Math.sqrt(2 * c.save_seconds * mean);
  const useful = interval / (mean * Math.exp(c.restart_seconds / mean) * Math.expm1((interval + c.save_seconds) / mean));
  const tokens = c.tokens_a_parameter * parameters, hours = (6 * parameters * tokens) / (c.peak * 6 * parameters * work * useful) / 3600;
  const days = hours / devices / 24;
  return { possible: 1, days, step_seconds: seconds, utilisation: 3 * forward * work, bubble: bubble / seconds, exposed: (m * (inside + sends) + data) / seconds,
    useful, failures: (days * 86400) / mean, device_hours: hours, cost: hours * c.price, memory, fits: memory <= c.room ? 1 : 0 };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start, shapes, device_numbers: numbers, fixed } = panel.state;
    const params = (values) => ({ ...fixed, ...shapes[values.model], ...values, full: values.full ? 1 : 0 });
    panel.select({ name: "model", label: words.model, value: start.model, choices: Object.keys(shapes).map((name) => [name, name]) });
    panel.slider({ name: "devices", label: words.devices, values: numbers, value: start.devices, kind: "integer" });
    panel.slider({ name: "tensor", label: words.tensor, values: [1, 2, 4, 8], value: start.tensor, kind: "integer" });
    panel.slider({ name: "pipeline", label: words.pipeline, values: [1, 2, 4, 8, 16], value: start.pipeline, kind: "integer" });
    panel.slider({ name: "batch", label: words.batch, values: [64, 128, 256, 512, 1024, 2048, 4096, 8192], value: start.batch, kind: "integer" });
    panel.slider({ name: "hours_between_failures", label: words.hours, min: 1000, max: 1e6, scale: "log", value: start.hours_between_failures, kind: "integer" });
    panel.checkbox({ name: "full", label: words.full, value: Boolean(start.full) });
    const x = { domain: [1, numbers.at(-1)], scale: "log", label: words.devices, ticks: [1, 16, 256, 4096], format: "integer" };
    const time = panel.plot({ label: words.time, height: 280, left: 56, right: 24, keys: [{ label: words.here, colour: "blue" }, { label: words.ideal, colour: "muted", dashed: true }],
      x, y: { domain: [1, 1e5], scale: "log", label: words.days, format: "si" } });
    const share = panel.plot({ label: words.share, height: 280, left: 46, right: 24, keys: [{ label: words.utilisation, colour: "blue" }, { label: words.useful, colour: "orange" }],
      x, y: { domain: [0, 0.7], ticks: [0, 0.2, 0.4, 0.6], format: "percent" } });
    for (const plot of [time, share]) plot.onDrag(({ x: at }) => panel.set("devices", panel.controls.devices.read(at)), { begin: () => panel.begin() });
    panel.table(() => {
      const r = compute(params(panel.values));
      return { head: [words.quantity, words.value], rows: Object.entries(words.results).map(([key, name]) => [name,
        r.possible ? format(r[key], ["utilisation", "bubble", "exposed", "useful"].includes(key) ? "percent" : ["device_hours", "cost", "failures"].includes(key) ? "words" : key === "memory" ? "si" : "number") : "–"]) };
    });
    return panel.start((values, ghost) => {
      const curve = (v) => numbers.filter((n) => n >= v.tensor * v.pipeline).map((devices) => ({ devices, ...compute(params({ ...v, devices })) }));
      const now = curve(values), before = ghost ? curve(ghost) : [], r = compute(params(values)), xs = now.map((q) => q.devices), fewest = values.tensor * values.pipeline;
      const alone = now[0].days * now[0].devices * (now[0].utilisation * now[0].useful) / fixed.kernel_share;
      const all = [...now.map((q) => q.days), alone / numbers.at(-1)], low = Math.min(...all), high = Math.max(...all);
      time.frame({ y: { domain: [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))] } });
      time.paint((q) => {
        if (fewest > 1) q.region(1, fewest, { colour: "red" });
        if (before.length) q.line(before.map((s) => s.devices), before.map((s) => s.days), { opacity: 0.25 });
        q.line(xs, xs.map((n) => alone / n), { colour: "muted", dash: "4 4" });
        q.line(xs, now.map((s) => s.days));
        if (r.possible) q.mark(values.devices, r.days);
      });
      share.paint((q) => {
        if (fewest > 1) q.region(1, fewest, { colour: "red" });
        if (before.length) q.line(before.map((s) => s.devices), before.map((s) => s.utilisation * s.useful), { colour: "orange", opacity: 0.25 });
        q.line(xs, now.map((s) => s.utilisation));
        q.line(xs, now.map((s) => s.utilisation * s.useful), { colour: "orange" });
        if (r.possible) q.mark(values.devices, r.utilisation * r.useful, { colour: "orange" });
      });
      if (!r.possible) return panel.say(fill(words.impossible, { tensor: values.tensor, pipeline: values.pipeline, fewest }));
      const unit = { seconds: words.seconds, minutes: words.minutes, hours: words.hours_unit, days: words.days };
      panel.say(fill(words.status, { model: values.model, devices: format(values.devices, "integer"), time: duration(r.days, unit, format), utilisation: format(r.utilisation, "percent"),
        useful: format(r.useful, "percent"), failures: format(r.failures, "integer"), cost: format(r.cost, "money"), price: format(fixed.price), memory: `${format(r.memory, "si")}B` })
        + (r.fits ? "" : " " + fill(words.full_memory, { room: `${format(fixed.room, "si")}B` }))
        + (values.devices / fewest > values.batch ? " " + words.idle : ""));
    });
  },
};
