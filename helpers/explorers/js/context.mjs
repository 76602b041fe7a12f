// The cache of one text against its length: a cache a head, shared heads, windows, a state of fixed size.
import { Panel, fill, format } from "./core.mjs";

// Equal to CacheAgainstContext.compute in Python.
export function compute({ context, layers, kv_heads, window, every, bytes_per_value, parameters, memory_bytes, heads, d_head }) {
  const cache = (num, width, tokens) => 2 * num * width * d_head * tokens * bytes_per_value;
  const full = !window ? layers : every ? Math.ceil(layers / every) : 0;
  const windowed = cache(full, kv_heads, context) + cache(layers - full, kv_heads, Math.min(window, context));
  const weights = 2 * parameters, room = Math.max(0, memory_bytes - weights);
  return {
    full_heads: cache(layers, heads, context), grouped: cache(layers, kv_heads, context), windowed,
    state: layers * heads * d_head * (d_head + 1) * bytes_per_value, weights, room, texts: room / windowed,
  };
}

const size = (bytes) => `${format(bytes, "si")}B`;

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start, contexts, heads, d_head, accelerators } = panel.state;
    const last = contexts[contexts.length - 1], ends = [contexts[0], last];
    panel.slider({ name: "context", label: words.context, values: contexts, value: start.context, kind: "integer" });
    panel.slider({ name: "kv_heads", label: words.kv_heads, values: [1, 2, 4, 8, 16, 32], value: start.kv_heads, kind: "integer" });
    panel.slider({ name: "window", label: words.window, values: [512, 1024, 2048, 4096, 8192, 16384, 32768, 0], value: start.window, show: (v) => (v ? format(v, "integer") : words.no_window) });
    panel.slider({ name: "every", label: words.every, values: [1, 2, 3, 4, 6, 8, 0], value: start.every, show: (v) => (v > 1 ? fill(words.one_in, { num: v }) : v ? words.all_layers : words.no_layers) });
    panel.slider({ name: "layers", label: words.layers, values: [8, 16, 24, 32, 48, 64, 80, 96, 126], value: start.layers, kind: "integer" });
    panel.slider({ name: "bytes_per_value", label: words.precision, values: [0.5, 1, 2, 4], value: start.bytes_per_value });
    panel.slider({ name: "parameters", label: words.parameters, min: 1e9, max: 1e12, scale: "log", value: start.parameters, show: (v) => format(v, "words", 2) });
    panel.select({ name: "device", label: words.device, value: start.device, choices: accelerators.map((a) => [a.name, a.title]) });
    const kinds = [["full_heads", "grey"], ["grouped", "blue"], ["windowed", "green"], ["state", "purple"]];
    const x = { domain: ends, scale: "log", label: words.context };
    const left = panel.plot({ label: words.bytes, keys: kinds.map(([name, colour]) => ({ label: words[name], colour })), height: 300, left: 52,
      x, y: { domain: [1e6, 1e13], scale: "log", label: words.axis, format: "si" } });
    const right = panel.plot({ label: words.texts, height: 300, left: 52, x, y: { domain: [0.1, 1e5], scale: "log", label: words.num } });
    for (const plot of [left, right]) {
      plot.onDrag(({ x: at }) => panel.set("context", contexts.reduce((a, b) => (Math.abs(Math.log(b / at)) < Math.abs(Math.log(a / at)) ? b : a))), { begin: () => panel.begin() });
    }
    const device = (name) => accelerators.find((a) => a.name === name);
    const of = (values, context = values.context) => compute({ ...values, context, memory_bytes: device(values.device).memory_bytes, heads, d_head });
    panel.table(() => ({ head: [words.context, ...kinds.map(([name]) => words[name]), words.num],
      rows: contexts.map((context) => { const now = of(panel.values, context); return [format(context, "integer"), ...kinds.map(([name]) => size(now[name])), format(Math.floor(now.texts), "integer")]; }) }));
    return panel.start((values, ghost) => {
      const now = of(values), rows = contexts.map((context) => of(values, context)), before = ghost ? contexts.map((context) => of(ghost, context)) : null;
      left.paint((p) => {
        if (before) p.line(contexts, before.map((row) => row.windowed), { colour: "green", width: 1.2, opacity: 0.35 });
        for (const [name, colour] of kinds) p.line(contexts, rows.map((row) => row[name]), { colour, width: name === "windowed" ? 2.6 : 1.8, dash: name === "full_heads" ? "4 3" : null });
        if (now.room > 0) p.rule({ y: now.room, label: words.room, colour: "red" });
        p.rule({ x: values.context });
        p.mark(values.context, now.windowed, { colour: "green" });
      });
      right.paint((p) => {
        p.rule({ y: 1, colour: "red" });
        if (before) p.line(contexts, before.map((row) => row.texts), { colour: "green", width: 1.2, opacity: 0.35 });
        p.line(contexts, rows.map((row) => row.texts || null), { colour: "green", width: 2.4 });
        p.rule({ x: values.context });
        if (now.texts > 0) p.mark(values.context, now.texts, { colour: "green" });
      });
      panel.say(fill(now.room > 0 ? words.status : words.no_room, { context: format(values.context, "integer"), windowed: size(now.windowed), grouped: size(now.grouped), heads,
        full_heads: size(now.full_heads), weights: size(now.weights), device: device(values.device).title, texts: format(Math.floor(now.texts), "integer"), state: size(now.state) }));
    });
  },
};
