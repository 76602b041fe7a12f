// The chances of the next token: temperature, top-k and top-p turned by hand.
import { Panel, fill, format } from "./core.mjs";

const SHOWN = 16;
const sum = (values) => values.reduce((a, b) => a + b, 0);

// Equal to Sampling.compute in Python.
export function compute({ logits, temperature, top_k, top_p }) {
  const powers = logits.map((z) => Math.exp((z - logits[0]) / temperature)), total = sum(powers);
  const num = Math.min(top_k || powers.length, powers.length), inside = sum(powers.slice(0, num));
  let before = 0, left = 0;
  while (left < num && (top_p >= 1 || before < top_p)) before += powers[left++] / inside;
  const kept = sum(powers.slice(0, left)), chances = powers.slice(0, left).map((power) => power / kept);
  return {
    chances: [...chances, ...new Array(SHOWN).fill(0)].slice(0, SHOWN), left, cut: 1 - kept / total,
    effective: Math.exp(-sum(chances.map((p) => (p > 0 ? p * Math.log(p) : 0)))),
  };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, rows, start } = panel.state, num = rows[0].logits.length;
    const range = (n) => Array.from({ length: n }, (_, i) => i + 1);
    panel.select({ name: "prompt", label: words.prompt, choices: rows.map(({ prompt }, i) => [String(i), prompt]) });
    panel.slider({ name: "temperature", label: words.temperature, min: 0.1, max: 3, scale: "log", value: start.temperature, show: (v) => format(v, "number", 2) });
    panel.slider({ name: "top_k", label: words.top_k, values: [...range(20), 30, 50, 100, 200, 500, 0], value: start.top_k, show: (v) => (v ? format(v) : words.none) });
    panel.slider({ name: "top_p", label: words.top_p, min: 0.05, max: 1, step: 0.01, value: start.top_p, show: (v) => (v < 1 ? format(v, "number", 2) : words.none) });
    const places = range(SHOWN);
    const bars = panel.plot({ label: words.bars, keys: [{ label: words.now, colour: "blue" }, { label: words.model, colour: "orange", dot: true }], wide: true, height: 380, left: 112, right: 52,
      x: { domain: [0, 1], label: words.chance, format: "percent" }, y: { domain: [SHOWN + 0.6, 0.4], ticks: places, names: {} } });
    const of = (values) => compute({ ...values, logits: rows[Number(values.prompt)].logits });
    const plain = (values) => compute({ logits: rows[Number(values.prompt)].logits, temperature: 1, top_k: 0, top_p: 1 });
    panel.table(() => {
      const now = of(panel.values), before = plain(panel.values);
      return { head: [words.token, words.model, words.now], rows: rows[Number(panel.values.prompt)].texts.map((text, i) => [text, format(before.chances[i], "percent"), format(now.chances[i], "percent")]) };
    });
    return panel.start((values) => {
      const now = of(values), before = plain(values), { texts } = rows[Number(values.prompt)];
      const top = Math.max(...now.chances, ...before.chances);
      bars.frame({ x: { domain: [0, Math.min(1, top * 1.06)] }, y: { names: Object.fromEntries(texts.map((text, i) => [i + 1, text])) } });
      bars.paint((p) => {
        const width = Math.max(5, 0.62 * (p.py(2) - p.py(1)));
        now.chances.forEach((chance, i) => {
          if (chance > 0) p.line([0, chance], [i + 1, i + 1], { colour: "blue", width }).setAttribute("stroke-linecap", "butt");
          const end = Math.max(chance, before.chances[i]);
          if (chance >= 0.0005) p.text(end, i + 1, format(chance, "percent", 2), { anchor: "start", dx: 8, dy: 4 });
        });
        p.points(before.chances, places, { colour: "orange", size: 3.5, hollow: true, opacity: 1, clip: false });
      });
      panel.say(fill(words.status, { left: format(now.left, "integer"), num: format(num, "integer"), first: format(now.chances[0], "percent", 2), effective: format(now.effective, "number", 2),
        cut: format(Math.max(0, now.cut), "percent", 2) }));
    });
  },
};
