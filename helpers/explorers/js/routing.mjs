// A router at work: which expert each token visits, the load, and what a full expert turns away.
import { Panel, colours, fill, format } from "./core.mjs";

const SHIFT_STEP = 0.01;

const softmax = (row) => {
  const largest = Math.max(...row), powers = row.map((z) => Math.exp(z - largest)), total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
};
const choose = (chances, shift, top_k) => chances.map((row) => {
  const ranked = row.map((p, i) => [p + shift[i], i]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  return ranked.slice(0, top_k).map(([, i]) => i);
});
const count = (chosen, num) => {
  const load = new Array(num).fill(0);
  for (const mine of chosen) for (const i of mine) load[i] += 1;
  return load;
};

// Equal to Routing.compute in Python.
export function compute({ logits, num_experts, top_k, temperature, steps, capacity, learned }) {
  const num = Math.floor(logits.length / num_experts), mean = (num * top_k) / num_experts;
  const chances = Array.from({ length: num }, (_, t) => softmax(logits.slice(t * num_experts, (t + 1) * num_experts).map((z) => z / temperature)));
  let shift = [...learned];
  for (let k = 0; k < steps; k++) {
    const load = count(choose(chances, shift, top_k), num_experts);
    shift = shift.map((s, i) => s + SHIFT_STEP * Math.sign(mean - load[i]));
  }
  const chosen = choose(chances, shift, top_k), load = count(chosen, num_experts);
  const places = capacity ? Math.ceil((capacity * num * top_k) / num_experts) : num;
  const taken = new Array(num_experts).fill(0), kept = [], gates = [];
  chances.forEach((row, t) => {
    const total = top_k > 1 ? chosen[t].reduce((sum, i) => sum + row[i], 0) : 1;
    gates.push(chosen[t].map((i) => row[i] / total));
    kept.push(chosen[t].map((i) => (taken[i] < places ? 1 : 0)));
    chosen[t].forEach((i, k) => { taken[i] += kept[t][k]; });
  });
  const share = load.map((one) => one / (num * top_k));
  const meanChance = share.map((_, i) => chances.reduce((sum, row) => sum + row[i], 0) / num);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  return {
    chosen, gates, kept, load, taken, places, dropped: sum(load) - sum(taken), shift,
    balance: num_experts * sum(share.map((f, i) => f * meanChance[i])),
    effective: Math.exp(-sum(share.map((f) => (f > 0 ? f * Math.log(f) : 0)))),
  };
}

const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
const mix = (from, to, share) => [0, 1, 2].map((k) => Math.round(part(from, k) + (part(to, k) - part(from, k)) * share));

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, tokens, num_experts, routers } = panel.state, num = tokens.length;
    const experts = Array.from({ length: num_experts }, (_, i) => i + 1), all = Object.fromEntries(routers.map(([name, ...rest]) => [name, rest]));
    panel.select({ name: "router", label: words.router, choices: routers.map(([name]) => [name, name]) });
    panel.slider({ name: "top_k", label: words.top_k, values: experts, value: panel.state.top_k, kind: "integer" });
    panel.slider({ name: "temperature", label: words.temperature, min: 0.2, max: 5, scale: "log", value: 1 });
    panel.slider({ name: "steps", label: words.steps, min: 0, max: 100, step: 1, value: 0, kind: "integer" });
    panel.slider({ name: "capacity", label: words.capacity, values: [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 0], value: 0, show: (v) => (v ? format(v) : words.none) });
    const names = Object.fromEntries(tokens.map((sign, i) => [i + 1, sign])), ticks = tokens.map((_, i) => i + 1);
    const map = panel.plot({ label: words.map, keys: [{ label: words.kept, colour: "blue" }, { label: words.dropped, colour: "red" }], wide: true, height: 250, left: 26, right: 4,
      x: { domain: [0.5, num + 0.5], ticks, names, label: words.token }, y: { domain: [num_experts + 0.5, 0.5], ticks: experts, label: words.expert } });
    const bars = panel.plot({ label: words.load, keys: [{ label: words.visits, colour: "blue" }, { label: words.dropped, colour: "red" }], wide: true, height: 210, left: 32,
      x: { domain: [-1.5, num_experts + 0.6], ticks: experts, label: words.expert }, y: { domain: [0, num], label: words.visits } });
    const of = (values) => compute({ ...values, logits: all[values.router][0], learned: all[values.router][1], num_experts });
    panel.table(() => {
      const now = of(panel.values);
      return { head: [words.token, words.expert, words.gate, words.dropped], rows: tokens.map((sign, t) => [`${t + 1}: ${sign}`, now.chosen[t].map((i) => i + 1).join(", "),
        now.gates[t].map((g) => format(g, "number", 2)).join(", "), now.chosen[t].filter((_, k) => !now.kept[t][k]).map((i) => i + 1).join(", ") || words.no]) };
    });
    return panel.start((values, ghost) => {
      const now = of(values), before = ghost ? of(ghost) : null;
      map.paint((p) => {
        const { paper, panel: empty, blue, red } = colours(), ground = empty ?? paper;
        const cell = now.chosen.map((mine, t) => new Map(mine.map((i, k) => [i, now.kept[t][k] ? mix(ground, blue, 0.35 + 0.65 * now.gates[t][k]) : mix(ground, red, 0.8)])));
        const rest = mix(ground, ground, 0);
        p.picture(num, num_experts, (i, j) => cell[i].get(num_experts - 1 - j) ?? rest);
      });
      const top = Math.max(...now.load, before ? Math.max(...before.load) : 0, values.capacity ? now.places : 0) * 1.08 + 1;
      bars.frame({ y: { domain: [0, top] } });
      bars.paint((p) => {
        const width = Math.max(8, 0.5 * (p.px(2) - p.px(1)));
        const bar = (x, from, to, colour, opacity = 0.9) => { if (to > from) p.line([x, x], [from, to], { colour, width, opacity }).setAttribute("stroke-linecap", "butt"); };
        now.load.forEach((one, i) => { bar(i + 1, 0, now.taken[i], "blue"); bar(i + 1, now.taken[i], one, "red"); });
        if (before) p.points(experts, before.load, { colour: "muted", hollow: true, size: 4, opacity: 0.7 });
        const room = p.px(2) - p.px(1) > 36;                                  // on a telephone the table has them
        if (room && now.shift.some((s) => s)) now.shift.forEach((s, i) => p.text(i + 1, now.load[i], (s > 0 ? "+" : "") + format(Math.round(100 * s) / 100), { dy: -7, anchor: "middle" }));
        p.rule({ y: (num * values.top_k) / num_experts, label: words.mean });
        if (values.capacity) p.rule({ y: now.places, label: `${words.places} ${now.places}`, colour: "red" });
      });
      panel.say(fill(words.result, { steps: values.steps, busiest: Math.max(...now.load), visits: num * values.top_k, effective: format(now.effective, "number", 2), num: num_experts,
        balance: format(now.balance, "number", 3), dropped: now.dropped }));
    });
  },
};
