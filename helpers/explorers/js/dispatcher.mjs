// A service under load, simulated: who waits, who is served, how long it takes and what a token costs.
import { Panel, extent, fill, format } from "./core.mjs";
import { pricePerMillion, quantile } from "./economics.mjs";

// Columns of a Latin hypercube in the order of a hash; as helpers.economics.latin.
const known = new Map();
function latin(num, size) {
  if (!known.has(num)) known.set(num, Array.from({ length: size }, (_, d) => {
    const hashes = Array.from({ length: num }, (_, k) => {
      let h = (Math.imul(k, 0x9e3779b1) + Math.imul(d + 1, 0x7feb352d)) | 0;
      h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      return (h ^ (h >>> 16)) >>> 0;
    });
    return Array.from({ length: num }, (_, k) => k).sort((i, j) => hashes[i] - hashes[j]).map((k) => (k + 0.5) / num);
  }));
  return known.get(num);
}

function requests(rate, prompt, answer, num) {
  const [gaps, reads, writes] = latin(num, 3), arrived = [];
  let now = 0;
  for (const u of gaps) { now += -Math.log(1 - u) / rate; arrived.push(now); }
  return { arrived, prompts: reads.map((u) => Math.max(1, Math.floor(prompt * (0.5 + u) + 0.5))), answers: writes.map((u) => Math.max(1, Math.floor(-Math.log(1 - u) * answer + 0.5))) };
}

// As helpers.economics.batching.serve.
function serve(p) {
  const { arrived, prompts, answers } = requests(p.rate, p.prompt, p.answer, p.num), num = p.num, memory = p.memory * 1e6;
  const need = prompts.map((tokens, i) => p.cache_bytes * (tokens + answers[i])), left = answers.map((n) => n - 1);
  const started = new Float64Array(num).fill(NaN), first = started.slice(), ended = started.slice(), waiting = [];
  let active = [], now = 0, used = 0, busy = 0, written = 0, steps = 0, following = 0, head = 0;
  while (following < num || head < waiting.length || active.length) {
    while (following < num && arrived[following] <= now) {
      if (need[following] <= memory && waiting.length - head - (p.slots - active.length) < p.queue) waiting.push(following);
      following++;
    }
    if (p.continuous || !active.length) while (head < waiting.length && active.length < p.slots && used + need[waiting[head]] <= memory) {
      const one = waiting[head++];
      used += need[one];
      started[one] = now;
      now += prompts[one] / p.read_rate;
      busy += prompts[one] / p.read_rate;
      first[one] = now;
      active.push(one);
    }
    if (!active.length) { if (following < num) now = Math.max(now, arrived[following]); continue; }
    const step = p.fixed_seconds + p.slot_seconds * active.length, rest = active.map((one) => left[one]);
    let jump = p.continuous ? Math.min(...rest) : Math.max(...rest);
    if (p.continuous && active.length < p.slots && following < num) jump = Math.min(jump, Math.max(0, Math.ceil((arrived[following] - now) / step)));
    now += jump * step;
    busy += jump * step;
    steps += jump;
    written += jump * active.length;
    for (const one of active) { left[one] -= jump; if (left[one] <= 0) { ended[one] = now; used -= need[one]; } }
    active = active.filter((one) => left[one] > 0);
  }
  return { arrived, answers, started, first, ended, busy, batch: steps ? written / steps : 0 };
}

function summary({ arrived, answers, first, ended, busy, batch }, p) {
  const taken = arrived.map((_, i) => i).filter((i) => !Number.isNaN(ended[i])), share = taken.length / p.num;
  if (!taken.length) return { first: 0, total: 0, tokens_per_second: 0, busy: 0, batch: 0, usd_per_million: 0, refused: 1 };
  const sorted = (values) => Float64Array.from(taken, (i) => values[i] - arrived[i]).sort();
  const span = taken.reduce((most, i) => Math.max(most, ended[i]), 0), rate = taken.reduce((sum, i) => sum + answers[i], 0) / span;
  return { first: quantile(sorted(first), 0.95), total: quantile(sorted(ended), 0.95), tokens_per_second: rate, busy: busy / span, batch, refused: 1 - share, usd_per_million: pricePerMillion(p.hour_price, rate, 1) };
}

// Equal to Dispatcher.compute in Python.
export function compute(p) {
  return summary(serve(p), p);
}

const RATES = Array.from({ length: 29 }, (_, i) => 0.2 * 500 ** (i / 28)), LANES = 40;

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, fixed, start } = panel.state;
    panel.slider({ name: "rate", label: words.rate, min: 0.2, max: 100, scale: "log", value: start.rate });
    panel.slider({ name: "slots", label: words.slots, values: [1, 2, 4, 8, 16, 32, 64], value: start.slots, kind: "integer" });
    panel.slider({ name: "memory", label: words.memory, min: 0.5, max: 64, scale: "log", value: start.memory, unit: "MB" });
    panel.slider({ name: "prompt", label: words.prompt, min: 4, max: 192, step: 4, value: start.prompt, kind: "integer" });
    panel.slider({ name: "answer", label: words.answer, min: 4, max: 192, step: 4, value: start.answer, kind: "integer" });
    panel.slider({ name: "queue", label: words.queue, values: [0, 4, 16, 64, 400], value: start.queue, kind: "integer" });
    panel.select({ name: "how", label: words.how, choices: [["continuous", words.continuous], ["static", words.static]], value: start.continuous ? "continuous" : "static" });
    const curve = panel.plot({ label: words.curve, left: 52, height: 260, keys: [{ label: words.total, colour: "blue" }, { label: words.first, colour: "orange" }],
      x: { domain: [0.2, 100], scale: "log", label: words.rate }, y: { domain: [0.01, 100], scale: "log", label: words.seconds } });
    const lanes = panel.plot({ label: words.lanes, height: 260, left: 40, keys: [{ label: words.wait, colour: "orange" }, { label: words.serve, colour: "blue" }, { label: words.refuse, colour: "red", dot: true }],
      x: { domain: [0, 10], label: words.time }, y: { domain: [LANES + 1, 0], ticks: [1, 10, 20, 30, 40], label: words.request } });
    curve.onDrag(({ x }) => panel.set("rate", panel.controls.rate.read(x)), { begin: () => panel.begin() });
    const full = (values) => ({ ...fixed, ...values, continuous: values.how === "continuous" });
    const over = (values) => RATES.map((rate) => compute({ ...full(values), rate }));
    const shown = (list, name) => list.map((one) => (one.refused === 1 ? null : one[name]));
    panel.table(() => {
      const found = compute(full(panel.values));
      return { head: [words.measure, words.value], rows: Object.entries(found).map(([name, value]) => [name, format(value)]) };
    });
    return panel.start((values, ghost) => {
      const parameters = full(values), day = serve(parameters), now = summary(day, parameters), all = over(values), before = ghost && over(ghost);
      curve.frame({ y: { domain: extent([...shown(all, "total"), ...shown(all, "first")], { log: true }) } });
      curve.paint((p) => {
        p.rule({ x: values.rate, width: 1 });
        if (before) p.line(RATES, shown(before, "total"), { colour: "blue", opacity: 0.28 });
        p.line(RATES, shown(all, "total"), { colour: "blue", width: 2.4 });
        p.line(RATES, shown(all, "first"), { colour: "orange", width: 2 });
        if (now.refused < 1) { p.mark(values.rate, now.total, { colour: "blue" }); p.mark(values.rate, now.first, { colour: "orange", size: 4.5 }); }
      });
      const ends = Array.from(day.ended.slice(0, LANES)).filter((t) => !Number.isNaN(t)), last = ends.length ? Math.max(...ends) : day.arrived[LANES - 1];
      lanes.frame({ x: { domain: [0, last * 1.02] } });
      lanes.paint((p) => {
        for (let i = 0; i < LANES; i++) {
          if (Number.isNaN(day.ended[i])) { p.points([day.arrived[i]], [i + 1], { colour: "red", shape: "cross", size: 3 }); continue; }
          p.line([day.arrived[i], day.started[i]], [i + 1, i + 1], { colour: "orange", width: 2.5, opacity: 0.75 });
          p.line([day.started[i], day.ended[i]], [i + 1, i + 1], { colour: "blue", width: 3.5 });
        }
      });
      panel.say(now.refused === 1 ? words.none : fill(words.status, { first: format(now.first), total: format(now.total), throughput: format(now.tokens_per_second), busy: format(now.busy, "percent", 2), batch: format(now.batch, "number", 2), refused: now.refused ? format(now.refused, "percent", 2) : format(0, "percent"), price: format(now.usd_per_million, "money") }));
    });
  },
};
