// Accuracy of recurrent cells on naming the first symbol: over the epochs at one length, and over the lengths at the end.
import { Panel, fill, format } from "./core.mjs";

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, lengths, cells, guess } = state;
    const epochs = cells[0].curves[0].length - 1, last = (curve) => curve[curve.length - 1];
    const keys = cells.map(({ name, colour }) => ({ label: name, colour }));
    panel.slider({ name: "length", label: words.length, values: lengths, value: lengths[Math.floor(lengths.length / 3)], kind: "integer" });
    const y = { domain: [0, 1.04], label: words.accuracy, format: "percent" };
    const left = panel.plot({ label: words.curves, keys, x: { domain: [0, epochs], label: words.epoch }, y, height: 260 });
    const right = panel.plot({ label: words.ends, x: { domain: [lengths[0], lengths[lengths.length - 1]], label: words.length }, y, height: 260 });
    right.onDrag(({ x }) => panel.set("length", lengths.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a))), { begin: () => panel.begin() });
    panel.table(() => ({ head: [words.length, ...cells.map(({ name }) => name)], rows: lengths.map((length, k) => [length, ...cells.map(({ curves }) => format(last(curves[k]), "percent"))]) }));
    return panel.start((values, ghost) => {
      const k = lengths.indexOf(values.length), before = ghost ? lengths.indexOf(ghost.length) : -1;
      const steps = Array.from({ length: epochs + 1 }, (_, i) => i);
      left.paint((p) => {
        p.rule({ y: guess, label: words.guess });
        for (const { colour, curves } of cells) {
          if (before >= 0) p.line(steps, curves[before], { colour, width: 1.2, opacity: 0.25 });
          p.line(steps, curves[k], { colour, width: 2.2 });
        }
      });
      right.paint((p) => {
        p.rule({ y: guess });
        p.rule({ x: values.length, dash: "none", width: 1 });
        for (const { colour, curves } of cells) {
          p.line(lengths, curves.map(last), { colour, width: 1.6, opacity: 0.8 });
          p.mark(values.length, last(curves[k]), { colour, size: 4.5 });
        }
      });
      panel.say(fill(words.status, { length: values.length, epochs, list: cells.map(({ name, curves }) => `${name} ${format(last(curves[k]), "percent", 2)}`).join(", ") }));
    });
  },
};
