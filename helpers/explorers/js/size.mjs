// A decoder from a laptop to a trillion parameters: what it needs to train and to answer.
import { Panel, fill, format } from "./core.mjs";
import { countDecoder, deviceHours, duration, minDevices, trainingFlops } from "./economics.mjs";

export function compute(params) {
  const counted = countDecoder(params);
  const tokens = params.tokens_per_parameter * counted.active_parameters;
  const flops = trainingFlops(counted.active_parameters, tokens);
  const hours = deviceHours(flops, params.flops_per_second, params.utilisation);
  const state = 16 * counted.parameters;
  return {
    ...counted, tokens, training_flops: flops, training_bytes: state,
    weight_bytes: 2 * counted.parameters, cache_bytes: counted.kv_bytes_per_token * params.context,
    inference_bytes: 2 * counted.parameters + counted.kv_bytes_per_token * params.context,
    min_devices: minDevices(state, params.memory_bytes, params.memory_share),
    device_hours: hours, days: hours / params.devices / 24,
    cost_low: hours * params.price_low, cost_median: hours * params.price_median, cost_high: hours * params.price_high,
  };
}

const gigabytes = (bytes) => (bytes >= 1e15 ? `${format(bytes / 1e15)} PB` : bytes >= 1e12 ? `${format(bytes / 1e12)} TB` : bytes >= 1e9 ? `${format(bytes / 1e9)} GB` : `${format(bytes / 1e6)} MB`);

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start, accelerators, models, memory_share } = panel.state;
    panel.slider({ name: "depth", label: words.depth, values: panel.state.depths, value: start.depth, kind: "integer" });
    panel.slider({ name: "width", label: words.width, values: panel.state.widths, value: start.width, kind: "integer" });
    panel.slider({ name: "experts", label: words.experts, values: [1, 4, 8, 16, 32, 64, 128, 256], value: start.experts, kind: "integer" });
    panel.slider({ name: "vocabulary", label: words.vocabulary, values: panel.state.vocabularies, value: start.vocabulary, kind: "integer" });
    panel.slider({ name: "context", label: words.context, values: panel.state.contexts, value: start.context, kind: "integer" });
    panel.slider({ name: "share", label: words.share, values: [1, 2, 4, 8], value: start.share, kind: "integer" });
    panel.slider({ name: "tokens_per_parameter", label: words.ratio, min: 1, max: 2000, scale: "log", value: start.tokens_per_parameter });
    panel.select({ name: "accelerator", label: words.accelerator, value: start.accelerator, choices: accelerators.map((a) => [a.name, a.title]) });
    panel.slider({ name: "devices", label: words.devices, min: 1, max: 100000, scale: "log", kind: "integer", value: start.devices });
    panel.slider({ name: "utilisation", label: words.utilisation, min: 0.05, max: 0.9, step: 0.01, kind: "percent", value: start.utilisation });
    const map = panel.plot({ label: words.map, height: 270, left: 54, keys: [{ label: words.here, colour: "blue", dot: true }, { label: words.published, colour: "orange", dot: true }],
      x: { domain: [1e4, 3e14], scale: "log", label: words.parameters }, y: { domain: [1e8, 1e29], scale: "log", label: words.map_axis } });
    const rows = [words.weights, words.cache, words.state], ticks = [3, 2, 1];
    const memory = panel.plot({ label: words.memory, height: 270, left: 96,
      x: { domain: [1e5, 1e16], scale: "log", label: words.bytes },
      y: { domain: [0.4, 3.6], ticks, names: Object.fromEntries(ticks.map((t, i) => [t, rows[i]])) } });
    const find = (name) => accelerators.find((a) => a.name === name);
    const result = (values) => {
      const device = find(values.accelerator);
      return compute({ ...values, ...device, top_k: Math.min(panel.state.top_k, values.experts), memory_share });
    };
    panel.table(() => {
      const r = result(panel.values);
      return { head: [words.quantity, words.value], rows: [
        [words.parameters, format(r.parameters, "integer")], [words.active, format(r.active_parameters, "integer")],
        [words.flops, format(r.flops_per_token, "scientific")], [words.tokens, format(r.tokens, "words")],
        [words.map_axis, format(r.training_flops, "scientific")], [words.state, gigabytes(r.training_bytes)],
        [words.weights, gigabytes(r.weight_bytes)], [words.cache, gigabytes(r.cache_bytes)],
        [words.fewest, format(r.min_devices, "integer")], [words.device_hours, format(r.device_hours, "words")],
        [words.days, format(r.days)], [words.low, format(r.cost_low, "money")], [words.high, format(r.cost_high, "money")]] };
    });

    return panel.start((values, ghost) => {
      const r = result(values), before = ghost ? result(ghost) : null, device = find(values.accelerator);
      map.paint((p) => {
        p.points(models.map((m) => m.parameters), models.map((m) => m.training_flops), { colour: "orange", size: 4 });
        for (const m of models) p.text(m.parameters, m.training_flops, m.name, { dx: -8, dy: m.dy, anchor: "end" });
        if (before) { p.points([before.parameters], [before.training_flops], { colour: "blue", hollow: true, size: 5, opacity: 0.5 }); }
        p.mark(r.parameters, r.training_flops, { colour: "blue", size: 7 });
      });
      memory.paint((p) => {
        const bar = (y, bytes, colour, opacity = 1) => { if (bytes > 1e5) p.line([1e5, bytes], [y, y], { colour, width: 14, opacity }); };
        const bars = [[3, "weight_bytes", "blue"], [2, "cache_bytes", "green"], [1, "training_bytes", "purple"]];
        for (const [y, key, colour] of bars) {
          if (before) bar(y - 0.25, before[key], colour, 0.3);
          bar(y, r[key], colour, 0.85);
          p.text(Math.min(r[key], 1e13), y, gigabytes(r[key]), { dy: -12, anchor: r[key] > 1e10 ? "end" : "start" });
        }
        p.rule({ x: device.memory_bytes, label: words.device_memory, colour: "red" });
      });
      panel.say(fill(words.status, {
        parameters: format(r.parameters, "words"), active: format(r.active_parameters, "words"), flops: format(r.flops_per_token, "si"),
        tokens: format(r.tokens, "words"), training_flops: format(r.training_flops, "scientific"), devices: format(values.devices, "integer"),
        device: device.title, time: duration(r.days, words, format), low: format(r.cost_low, "money"), high: format(r.cost_high, "money"), date: device.date,
        state: gigabytes(r.training_bytes), fewest: format(r.min_devices, "integer"), inference: gigabytes(r.inference_bytes) }));
    });
  },
};
