// What guessing ahead gains, for one text and for a batch.
import { Panel, extent, fill, format } from "./core.mjs";

const MOST = 16;
const range = Array.from({ length: MOST + 1 }, (_, i) => i);

// Equal to Speculation.compute in Python.
export function compute({ acceptance, num_drafted, cost, batch, ridge }) {
  const of = (num) => {
    let tokens = 0;
    for (let i = 0; i <= num; i++) tokens += acceptance ** i;
    const plain = Math.max(1, batch / ridge);
    return [tokens, (Math.max(1, (batch * (num + 1)) / ridge) + num * cost * plain) / plain];
  };
  const [tokens, step] = of(num_drafted), gains = range.map((num) => of(num)).map(([a, b]) => a / b);
  const best = gains.reduce((at, gain, i) => (gain > gains[at] ? i : at), 0);
  return { tokens, step, speed_up: tokens / step, best, best_speed_up: gains[best] };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start } = panel.state;
    const batches = Array.from({ length: 11 }, (_, i) => 2 ** i);
    panel.slider({ name: "acceptance", label: words.acceptance, min: 0.05, max: 0.98, step: 0.01, value: start.acceptance, show: (v) => format(v, "number", 2) });
    panel.slider({ name: "num_drafted", label: words.num_drafted, min: 1, max: MOST, step: 1, value: start.num_drafted, kind: "integer" });
    panel.slider({ name: "cost", label: words.cost, min: 0.01, max: 1, scale: "log", value: start.cost, show: (v) => format(v, "number", 2) });
    panel.slider({ name: "batch", label: words.batch, values: batches, value: start.batch, kind: "integer" });
    panel.slider({ name: "ridge", label: words.ridge, min: 4, max: 1000, scale: "log", value: start.ridge, kind: "integer" });
    const left = panel.plot({ label: words.speed, height: 240, left: 40, x: { domain: [0, MOST + 0.4], label: words.drafted }, y: { domain: [0, 4], label: words.gain } });
    const right = panel.plot({ label: words.load, height: 240, left: 40, keys: [{ label: words.here, colour: "blue" }, { label: words.best, colour: "green", dashed: true }],
      x: { domain: [0.9, 1150], scale: "log", label: words.texts }, y: { domain: [0, 4], label: words.gain } });
    left.onDrag(({ x }) => panel.set("num_drafted", Math.min(MOST, Math.max(1, Math.round(x)))), { begin: () => panel.begin() });
    right.onDrag(({ x }) => panel.set("batch", 2 ** Math.min(10, Math.max(0, Math.round(Math.log2(x))))), { begin: () => panel.begin() });
    const over = (values) => range.map((num_drafted) => compute({ ...values, num_drafted }).speed_up);
    const loads = (values) => batches.map((batch) => compute({ ...values, batch }));
    panel.table(() => ({ head: [words.drafted, words.gain], rows: over(panel.values).map((gain, i) => [String(i), format(gain)]) }));
    return panel.start((values, ghost) => {
      const now = compute(values), curve = over(values), load = loads(values), old = ghost ? over(ghost) : null;
      const domain = [0, extent([...curve, ...load.map((one) => one.best_speed_up), 1.2])[1] * 1.08];
      left.frame({ y: { domain } });
      right.frame({ y: { domain } });
      left.paint((p) => {
        p.rule({ y: 1, colour: "red" });
        p.text(MOST, 1, words.even, { anchor: "end", dy: -6, colour: "red" });
        if (old) p.line(range, old, { colour: "blue", width: 1.2, opacity: 0.35 });
        p.line(range, curve, { colour: "blue", width: 2.2 });
        p.points(range, curve, { colour: "blue", size: 3, opacity: 1 });
        p.mark(values.num_drafted, now.speed_up, { colour: "blue" });
      });
      right.paint((p) => {
        p.rule({ y: 1, colour: "red" });
        p.line(batches, load.map((one) => one.best_speed_up), { colour: "green", width: 2, dash: "5 4" });
        p.line(batches, load.map((one) => one.speed_up), { colour: "blue", width: 2.2 });
        p.mark(values.batch, now.speed_up, { colour: "blue" });
      });
      panel.say(fill(now.best ? words.status : words.none, { tokens: format(now.tokens), step: format(now.step), gain: format(now.speed_up), best: now.best, most: format(now.best_speed_up) }));
    });
  },
};
