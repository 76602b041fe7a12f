// An interval for the loss of a larger run, staked before the loss is shown, and its score.
import { Panel, fill, format } from "./core.mjs";

// Equal to Bet.compute in Python.
export function compute({ low: one, high: other, truth, level = 0.9 }) {
  const low = Math.min(one, other), high = Math.max(one, other);
  const off = Math.max(low - truth, truth - high, 0);
  return { width: high - low, off, score: high - low + (2 / (1 - level)) * off, inside: off === 0 };
}

const COLOURS = ["sky", "blue", "purple", "red", "ink", "muted"];
const unique = (values) => [...new Set(values)].sort((a, b) => a - b);
const wide = (values) => [Math.min(...values) / 1.4, Math.max(...values) * 1.6];

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, rows, target, span, interval, level, law } = panel.state;
    const middle = (span[0] + span[1]) / 2, step = 0.005;
    panel.slider({ name: "low", label: words.low, min: span[0], max: span[1], step, value: span[0] + (middle - span[0]) / 2, show: (v) => v.toFixed(3) });
    panel.slider({ name: "high", label: words.high, min: span[0], max: span[1], step, value: middle + (span[1] - middle) / 2, show: (v) => v.toFixed(3) });
    panel.checkbox({ name: "reveal", label: words.reveal });
    // Column 0 is N, 1 is D: each view has one on its axis and a line for each value of the other.
    const bars = [{ label: words.mine, colour: "orange" }, { label: words.fit, colour: "green" }];
    const views = [[0, words.sizes, words.parameters, words.runs], [1, words.texts, words.characters, words.models]].map(([axis, title, label, each]) => {
      const other = 1 - axis, kinds = unique(rows.map((r) => r[other]));
      const keys = kinds.map((v, i) => ({ label: fill(each, { value: format(v, "si") }), colour: COLOURS[i % COLOURS.length] }));
      const plot = panel.plot({ label: title, keys: [...keys, ...bars], height: 300, left: 46, right: 16,
        x: { domain: wide([...rows.map((r) => r[axis]), target[axis]]), scale: "log", label, format: "si" }, y: { domain: span, label: words.loss } });
      return { axis, other, kinds, plot };
    });
    const predicted = (n, d) => law.floor + law.a * n ** -law.alpha + law.b * d ** -law.beta;
    const ends = ({ low, high }) => [Math.min(low, high), Math.max(low, high)];
    const begin = () => panel.begin();
    for (const { plot } of views)
      plot.onDrag(({ y }) => {
        const { low, high } = panel.values, name = Math.abs(y - low) < Math.abs(y - high) ? "low" : "high";
        panel.set(name, panel.controls[name].read(y));
      }, { begin });
    panel.table(() => ({ head: [words.parameters, words.characters, words.loss],
      rows: [...rows, ...(panel.values.reveal ? [target] : [])].map(([n, d, l]) => [format(n, "integer"), format(d, "integer"), l.toFixed(4)]) }));

    return panel.start((values) => {
      const [low, high] = ends(values), { reveal } = values, truth = target[2];
      for (const { axis, other, kinds, plot } of views) {
        const at = target[axis], [left, right] = plot.x.domain;
        const grid = Array.from({ length: 60 }, (_, i) => left * (right / left) ** (i / 59));
        plot.paint((p) => {
          kinds.forEach((kind, i) => {
            const part = rows.filter((r) => r[other] === kind).sort((a, b) => a[axis] - b[axis]), colour = COLOURS[i % COLOURS.length];
            p.line(part.map((r) => r[axis]), part.map((r) => r[2]), { colour, width: 1.5, opacity: 0.7 });
            p.points(part.map((r) => r[axis]), part.map((r) => r[2]), { colour, size: 3.5 });
          });
          p.rule({ x: at, label: words.target });
          if (reveal) p.line(grid, grid.map((v) => (axis === 0 ? predicted(v, target[1]) : predicted(target[0], v))), { colour: "muted", dash: "5 4", width: 1.5 });
          if (reveal) p.line([at * 1.06, at * 1.06], interval, { colour: "green", width: 7, opacity: 0.8 });
          p.line([at / 1.06, at / 1.06], [low, high], { colour: "orange", width: 7, opacity: 0.8 });
          if (reveal) p.mark(at, truth, { colour: "ink" });
          if (reveal) p.text(at / 1.12, truth, words.measured, { anchor: "end", dy: 18 }); // clear of the lines above
        });
      }
      const digits = (v) => v.toFixed(3), mine = compute({ low, high, truth, level });
      const shown = { low: digits(low), high: digits(high), width: digits(mine.width), off: digits(mine.off), score: digits(mine.score), truth: digits(truth), factor: format(2 / (1 - level)) };
      if (!reveal) return panel.say(fill(words.staked, shown));
      const fits = compute({ low: interval[0], high: interval[1], truth, level });
      panel.say(fill(mine.inside ? words.hit : words.miss, shown) + fill(words.other, { low: digits(interval[0]), high: digits(interval[1]), score: digits(fits.score) }));
    });
  },
};
