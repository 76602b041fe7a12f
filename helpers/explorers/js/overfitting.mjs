// Replay of runs over label noise, data size and capacity: curves over the epochs, and what more data does.
import { Panel, fill, format } from "./core.mjs";

const COLOURS = ["sky", "green", "blue", "purple", "red"];

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, noises, sizes, widths, train, validation } = state;
    const epochs = train[0][0][0].length - 1, steps = Array.from({ length: epochs + 1 }, (_, i) => i);
    panel.select({ name: "noise", label: words.noise, choices: noises.map((name, k) => [String(k), name]), value: "0" });
    panel.slider({ name: "size", label: words.size, values: sizes, value: sizes[0], kind: "integer" });
    panel.slider({ name: "width", label: words.width, values: widths, value: widths[widths.length - 1], kind: "integer" });
    panel.slider({ name: "epoch", label: words.epoch, values: steps, value: epochs, kind: "integer", play: true });
    const y = { domain: [0, 1.04], label: words.accuracy, format: "percent" };
    const left = panel.plot({ label: words.curves, keys: [{ label: words.train, colour: "orange" }, { label: words.validation, colour: "blue" }],
      x: { domain: [0, epochs], label: words.epoch }, y, height: 280 });
    const right = panel.plot({ label: words.sizes, keys: widths.map((width, k) => ({ label: `${format(width, "integer")} ${words.width}`, colour: COLOURS[k % COLOURS.length] })),
      x: { domain: [sizes[0] / 1.3, sizes[sizes.length - 1] * 1.3], scale: "log", label: words.size }, y, height: 280 });
    const at = ({ noise, size, width }) => [Number(noise), sizes.indexOf(size), widths.indexOf(width)];
    const curve = (all, [k, i, j]) => all[k][i][j];
    panel.table(() => {
      const place = at(panel.values), rows = steps.map((e) => [e, format(curve(train, place)[e], "percent"), format(curve(validation, place)[e], "percent")]);
      return { head: [words.epoch, words.train, words.validation], rows };
    });
    return panel.start((values, ghost) => {
      const place = at(values), before = ghost && at(ghost), seen = steps.slice(0, values.epoch + 1);
      const [learned, true_] = [curve(train, place), curve(validation, place)];
      left.paint((p) => {
        if (before) {
          p.line(steps, curve(train, before), { colour: "orange", width: 1.2, opacity: 0.25 });
          p.line(steps, curve(validation, before), { colour: "blue", width: 1.2, opacity: 0.25 });
        }
        p.rule({ x: values.epoch, width: 1 });
        p.line(seen, learned.slice(0, seen.length), { colour: "orange", width: 2.2 });
        p.line(seen, true_.slice(0, seen.length), { colour: "blue", width: 2.2 });
        p.mark(values.epoch, true_[values.epoch], { colour: "blue", size: 4.5 });
      });
      right.paint((p) => {
        p.rule({ x: values.size, width: 1 });
        widths.forEach((width, j) => {
          const colour = COLOURS[j % COLOURS.length], mine = j === place[2];
          const ends = sizes.map((_, i) => validation[place[0]][i][j][values.epoch]);
          p.line(sizes, ends, { colour, width: mine ? 2.6 : 1.4, opacity: mine ? 1 : 0.6 });
          p.points(sizes, ends, { colour, size: mine ? 3.6 : 2.4, opacity: mine ? 1 : 0.6 });
        });
      });
      const best = true_.indexOf(Math.max(...true_));
      panel.say(fill(words.status, { epoch: values.epoch, train: format(learned[values.epoch], "percent"), validation: format(true_[values.epoch], "percent"), best, highest: format(true_[best], "percent") }));
    });
  },
};
