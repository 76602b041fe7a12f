// Quality against quantity: recorded runs over the size of the pile and its share of dirt.
import { Panel, fill, format } from "./core.mjs";

// Equal to DataQuality.compute in Python.
export function compute({ loss, sizes, clean }) {
  for (let k = 0; k + 1 < sizes.length; k++) {
    if (clean[k] >= loss && loss >= clean[k + 1]) {
      const part = (clean[k] - loss) / (clean[k] - clean[k + 1]);
      return { tokens: Math.exp(Math.log(sizes[k]) * (1 - part) + Math.log(sizes[k + 1]) * part), inside: true };
    }
  }
  return { tokens: loss > clean[0] ? sizes[0] : sizes[sizes.length - 1], inside: false };
}

const COLOURS = ["red", "orange", "sky", "blue", "purple", "green"];

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, sizes, shares, held_out, own, budget } = state;
    const percent = (v) => `${Math.round(100 * v)} %`, last = sizes[sizes.length - 1];
    panel.slider({ name: "size", label: words.size, values: sizes, value: last, kind: "integer" });
    panel.slider({ name: "share", label: words.share, values: shares, value: shares[Math.min(2, shares.length - 1)], show: percent });
    const all = [...held_out.flat(), ...own.flat()], highest = Math.max(...all) * 1.05;
    const left = panel.plot({ label: words.shares, keys: sizes.map((size, i) => ({ label: fill(words.pile, { value: format(size, "integer") }), colour: COLOURS[i % COLOURS.length] })), height: 280,
      x: { domain: [0, shares[shares.length - 1] * 1.05], label: words.dirt, format: "percent" }, y: { domain: [Math.min(...held_out.flat()) - 0.2, highest], label: words.bits } });
    const right = panel.plot({ label: words.sizes, keys: [{ label: words.held_out, colour: "blue" }, { label: words.own, colour: "orange" }], height: 280,
      x: { domain: [sizes[0] / 1.3, last * 1.3], scale: "log", label: words.tokens, format: "si" }, y: { domain: [0, highest], label: words.bits } });
    const place = ({ size, share }) => [sizes.indexOf(size), shares.indexOf(share)];
    const column = (values, j) => values.map((row) => row[j]);
    panel.table(() => ({ head: [words.size, words.share, words.held_out, words.own],
      rows: sizes.flatMap((size, i) => shares.map((share, j) => [format(size, "integer"), percent(share), held_out[i][j].toFixed(2), own[i][j].toFixed(2)])) }));
    return panel.start((values, ghost) => {
      const [i, j] = place(values), before = ghost && place(ghost)[1];
      left.paint((p) => {
        p.rule({ x: values.share, width: 1 });
        sizes.forEach((_, k) => {
          const colour = COLOURS[k % COLOURS.length], mine = k === i;
          p.line(shares, held_out[k], { colour, width: mine ? 2.8 : 1.5, opacity: mine ? 1 : 0.65 });
          p.points(shares, held_out[k], { colour, size: mine ? 3.6 : 2.6, opacity: mine ? 1 : 0.65 });
        });
        p.mark(values.share, held_out[i][j], { colour: COLOURS[i % COLOURS.length] });
      });
      right.paint((p) => {
        p.rule({ x: values.size, width: 1 });
        if (before !== null && before !== j) p.line(sizes, column(held_out, before), { colour: "blue", width: 1.2, opacity: 0.3 });
        for (const [table, colour] of [[own, "orange"], [held_out, "blue"]]) {
          p.line(sizes, column(table, j), { colour, width: 2.2 });
          p.points(sizes, column(table, j), { colour, size: 3.2 });
          p.mark(values.size, table[i][j], { colour, size: 4.5 });
        }
      });
      const loss = held_out[i][j], times = budget / values.size, worth = compute({ loss, sizes, clean: column(held_out, 0) });
      panel.say(fill(words.status, {
        size: format(values.size, "integer"), share: percent(values.share), held_out: loss.toFixed(2), own: own[i][j].toFixed(2), gap: (loss - own[i][j]).toFixed(2),
        times: times === 1 ? words.once : fill(words.times, { num: format(times) }),
        worth: j === 0 ? words.clean : fill(worth.inside ? words.about : words.less, { tokens: format(Number(worth.tokens.toPrecision(2)), "integer") }),
      }));
    });
  },
};
