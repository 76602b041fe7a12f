// Recorded attention weights of a small decoder: one row as bars, one head as a map, and how far back it looks.
import { Panel, bytes, colours, fill, format } from "./core.mjs";

// Equal to AttentionWeights.compute in Python.
export function compute({ weights, size, token }) {
  const shares = Array.from({ length: size }, (_, t) => {
    const row = Array.from(weights.slice(t * size, (t + 1) * size), (w) => Math.max(w, 0)), total = row.reduce((a, b) => a + b, 0) || 1;
    return row.map((w) => w / total);
  });
  const mine = shares[token];
  let other = 0, entropy = 0;
  mine.forEach((w, s) => { if (w > mine[other]) other = s; if (w > 0) entropy -= w * Math.log(w); });
  const profile = mine.map((_, back) => {
    let total = 0;
    for (let t = back; t < size; t++) total += shares[t][t - back];
    return total / (size - back);
  });
  return { other, share: mine[other], effective: Math.exp(entropy), profile, shares };
}

const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
// 256 colours from paper at 0 to blue at 1, of the theme in use.
const ramp = ({ paper, blue }) => Array.from({ length: 256 }, (_, i) => [0, 1, 2].map((k) => Math.round(part(paper, k) + (part(blue, k) - part(paper, k)) * (i / 255) ** 0.6)));
const bar = (p, x, w, width) => { if (w > 0) p.line([x, x], [0, w], { colour: "blue", width }).setAttribute("stroke-linecap", "butt"); };

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, tokens, layers, heads, token } = panel.state, size = tokens.length;
    const raw = bytes(panel.state.weights), count = (n) => Array.from({ length: n }, (_, i) => i + 1);
    const place = (k) => ({ layer: Math.floor((k - 1) / heads) + 1, head: ((k - 1) % heads) + 1 });
    panel.slider({ name: "head", label: words.head, values: count(layers * heads), value: 1, show: (k) => fill(words.place, place(k)) });
    panel.slider({ name: "token", label: words.token, values: count(size), value: token, show: (t) => `${t}: ${tokens[t - 1]}` });
    const names = Object.fromEntries(tokens.map((sign, i) => [i + 1, sign])), ticks = count(size);
    const row = panel.plot({ label: words.row, wide: true, x: { domain: [0.4, size + 0.6], label: words.text, ticks, names }, y: { domain: [0, 1], label: words.weight }, height: 190, left: 32 });
    const map = panel.plot({ label: words.map, x: { domain: [0.5, size + 0.5], label: words.text }, y: { domain: [size + 0.5, 0.5], label: words.looks, ticks: [1, 10, 20, 30, 40].filter((t) => t <= size) }, height: 330, left: 32 });
    const profile = panel.plot({ label: words.profile, x: { domain: [-0.5, Math.min(size, 20) - 0.5], label: words.distance }, y: { domain: [0, 1], label: words.weight }, height: 330, left: 32 });
    row.onDrag(({ x }) => panel.set("token", Math.round(Math.min(size, Math.max(1, x)))), { begin: () => panel.begin() });
    map.onDrag(({ y }) => panel.set("token", Math.round(Math.min(size, Math.max(1, y)))), { begin: () => panel.begin() });
    const of = ({ head, token: t }) => {
      const start = (head - 1) * size * size;
      return compute({ weights: raw.subarray(start, start + size * size), size, token: t - 1 });
    };
    panel.table(() => ({ head: [words.text, words.weight], rows: of(panel.values).shares[panel.values.token - 1].map((w, s) => [`${s + 1}: ${tokens[s]}`, format(w, "number", 2)]).filter((_, s) => s < panel.values.token) }));
    return panel.start((values) => {
      const now = of(values), mine = now.shares[values.token - 1];
      row.paint((p) => {
        p.region(values.token - 0.5, values.token + 0.5, { colour: "orange", opacity: 0.25 });
        mine.forEach((w, s) => bar(p, s + 1, w, Math.max(4, 0.6 * (p.px(2) - p.px(1)))));
      });
      map.paint((p) => {
        const paint = ramp(colours());
        p.picture(size, size, (i, j) => paint[Math.round(255 * now.shares[size - 1 - j][i])]);
        p.rule({ y: values.token - 0.5, colour: "orange", dash: null }); p.rule({ y: values.token + 0.5, colour: "orange", dash: null });
      });
      profile.paint((p) => now.profile.slice(0, 20).forEach((w, back) => bar(p, back, w, 7)));
      panel.say(fill(words.result, { ...place(values.head), token: values.token, sign: `“${tokens[values.token - 1]}”`, other: now.other + 1,
        other_sign: `“${tokens[now.other]}”`, share: format(now.share, "number", 2), effective: format(now.effective, "number", 2), num: values.token }));
    });
  },
};
