// A discounted cash flow: its years, its tail, and which assumption carries it.
import { Panel, extent, fill, format } from "./core.mjs";
import { linearTicks } from "./format.mjs";

const SWINGS = { revenue: 0.2, growth: 0.2, growth_end: 0.05, margin: 0.2, margin_end: 0.05, rate: 0.02, terminal_growth: 0.01 };

// Growth and margin in straight lines, as economics.forecast_cash_flows.
function forecast({ revenue: first, growth, growth_end, margin, margin_end, years }) {
  const at = (a, b, i, n) => (n > 0 && i === n ? b : a + ((b - a) * i) / Math.max(n, 1)), revenue = [first];
  for (let i = 0; i < years - 1; i++) revenue.push(revenue[i] * (1 + at(growth, growth_end, i, years - 2)));
  return { revenue, cash: revenue.map((v, i) => v * at(margin, margin_end, i, years - 1)) };
}

const discount = (cash, rate) => cash.map((v, i) => v / (1 + rate) ** (i + 1));
const sum = (values) => values.reduce((a, b) => a + b, 0);

function valueOf(p) {
  if (p.rate <= p.terminal_growth) return null;
  const { cash } = forecast(p), last = cash[cash.length - 1];
  return sum(discount(cash, p.rate)) + (last * (1 + p.terminal_growth)) / (p.rate - p.terminal_growth) / (1 + p.rate) ** cash.length;
}

export function compute(p) {
  const { revenue, cash } = forecast(p), present = discount(cash, p.rate), explicit = sum(present), value = valueOf(p);
  let total = 0, lowest = 0;
  for (const v of cash) { total += v; lowest = Math.min(lowest, total); }
  const swings = Object.fromEntries(Object.entries(SWINGS).map(([name, size]) => {
    const step = name === "revenue" ? size * p[name] : size;
    return [name, [-step, step].map((s) => valueOf({ ...p, [name]: p[name] + s }))];
  }));
  return { revenue, cash, present, explicit, terminal: value === null ? null : value - explicit, value, needed: -lowest, swings };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, sliders, years } = panel.state, names = Object.keys(SWINGS);
    for (const slider of sliders) panel.slider(slider);
    const run = (values) => compute({ ...values, years }), money = (v) => (v === null ? words.endless : format(v, "money"));
    const flows = panel.plot({ label: words.flows, height: 290, left: 52, keys: [{ label: words.cash, colour: "grey" }, { label: words.present, colour: "blue" }, { label: words.tail, colour: "orange" }],
      x: { domain: [0.3, years + 1.7], ticks: Array.from({ length: years }, (_, i) => i + 1).filter((y) => y % 2 || years < 8), label: words.year }, y: { domain: [0, 1], label: words.money, format: "si" } });
    const tornado = panel.plot({ label: words.tornado, height: 290, left: 138, right: 16, keys: [{ label: words.downward, colour: "orange" }, { label: words.upward, colour: "blue" }],
      x: { domain: [0, 1], label: words.value, format: "si" }, y: { domain: [-0.5, names.length - 0.5], ticks: names.map((_, i) => i) } });
    const width = ([a, b]) => (a === null || b === null ? Infinity : Math.abs(a - b));
    const ordered = (r) => [...names].sort((a, b) => width(r.swings[b]) - width(r.swings[a]));
    panel.table(() => {
      const r = run(panel.values);
      return { head: [words.assumption, words.low, words.high], rows: ordered(r).map((name) => [words.swings[name], ...r.swings[name].map(money)]) };
    });
    return panel.start((values, ghost) => {
      const r = run(values), order = ordered(r), before = ghost && run(ghost), bar = (p, x, v, half, style) => p.band([x - half, x + half], [0, 0], [v, v], style);
      flows.frame({ y: { domain: extent([0, ...r.cash, ...r.present, r.terminal ?? 0]) } });
      flows.paint((p) => {
        r.cash.forEach((v, i) => bar(p, i + 1, v, 0.36, { colour: "grey", opacity: 0.4 }));
        r.present.forEach((v, i) => bar(p, i + 1, v, 0.22, { colour: "blue", opacity: 0.85 }));
        if (r.terminal !== null) bar(p, years + 1, r.terminal, 0.36, { colour: "orange", opacity: 0.85 });
        p.rule({ y: 0, colour: "ink", dash: "none" });
      });
      const ends = Object.values(r.swings).flat().filter((v) => v !== null);
      const range = extent([...ends, r.value ?? 0]);
      tornado.frame({ x: { domain: range, ticks: linearTicks(range, 3) }, y: { names: Object.fromEntries(order.map((name, i) => [names.length - 1 - i, words.swings[name]])) } });
      tornado.paint((p) => {
        if (r.value === null) return;
        order.forEach((name, i) => {
          const row = names.length - 1 - i;
          r.swings[name].forEach((v, side) => p.band([r.value, v ?? p.x.domain[1]], [row - 0.32, row - 0.32], [row + 0.32, row + 0.32], { colour: side ? "blue" : "orange", opacity: v === null ? 0.3 : 0.8 }));
        });
        if (before?.value) p.rule({ x: before.value, colour: "muted" });
        p.rule({ x: r.value, colour: "ink", dash: "none", width: 1.6 });
      });
      const widest = order[0], [low, high] = r.swings[widest];
      panel.say(r.value === null ? words.never : fill(words.status, { value: money(r.value), explicit: money(r.explicit), terminal: money(r.terminal), needed: money(r.needed),
        widest: words.names[widest].split(",")[0], low: money(low), high: money(high) }));
    });
  },
};
