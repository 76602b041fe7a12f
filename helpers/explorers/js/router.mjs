// Three routers: accuracy by number of training texts, and accuracy among the messages of which they are sure.
import { Panel, extent, fill, format } from "./core.mjs";

const Z = 1.959963984540054, sum = (values) => values.reduce((a, b) => a + b, 0);

// Equal to Routers.compute in Python.
export function compute({ right, wrong, threshold }) {
  const first = Math.floor(threshold * right.length + 0.5), hits = sum(right.slice(first)), given = hits + sum(wrong.slice(first));
  let accuracy = null, low = null, high = null;
  if (given) {
    accuracy = hits / given;
    const extra = Z ** 2 / given, factor = 1 / (1 + extra), centre = (accuracy + extra / 2) * factor;
    const spread = factor * Math.sqrt(extra * (accuracy * (1 - accuracy) + extra / 4));
    low = hits === 0 ? 0 : centre - spread;
    high = hits === given ? 1 : centre + spread;
  }
  return { share: given / (sum(right) + sum(wrong)), accuracy, low, high };
}

const percent = (v) => format(v, "percent", 2), mean = (values) => sum(values) / values.length;

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, sizes, methods } = state;
    const numBins = methods[0].bins[0].right.length, steps = Array.from({ length: numBins }, (_, i) => i / numBins);
    panel.slider({ name: "texts", label: words.texts, values: sizes, value: state.texts, kind: "integer" });
    panel.slider({ name: "threshold", label: words.threshold, values: steps, value: state.threshold });
    const keys = methods.map(({ name, colour }) => ({ label: name, colour }));
    const air = (sizes[sizes.length - 1] / sizes[0]) ** 0.04, all = methods.flatMap(({ accuracy }) => accuracy.flat());
    const left = panel.plot({ label: words.sizes, keys, x: { domain: [sizes[0] / air, sizes[sizes.length - 1] * air], scale: "log", label: words.texts_axis },
      y: { domain: extent(all, { air: 0.1 }), label: words.accuracy, format: "percent" }, height: 270, left: 46 });
    const right = panel.plot({ label: words.trade, x: { domain: [0, 1.02], ticks: [0, 0.25, 0.5, 0.75, 1], label: words.share, format: "percent" },
      y: { domain: [0.3, 1.02], label: words.of_routed, format: "percent" }, height: 270, left: 46, right: 22 });
    left.onDrag(({ x }) => panel.set("texts", sizes.reduce((a, b) => (Math.abs(Math.log(b / x)) < Math.abs(Math.log(a / x)) ? b : a))), { begin: () => panel.begin() });
    const at = (method, k, threshold) => compute({ ...method.bins[k], threshold });

    panel.table(() => ({ head: [words.texts, ...methods.flatMap(({ name }) => [name, words.share, words.of_routed])],
      rows: sizes.map((n, k) => [format(n, "integer"), ...methods.flatMap((method) => {
        const { share, accuracy } = at(method, k, panel.values.threshold);
        return [percent(mean(method.accuracy[k])), percent(share), accuracy === null ? "–" : percent(accuracy)];
      })]) }));

    return panel.start((values, ghost) => {
      const k = sizes.indexOf(values.texts), before = ghost ? sizes.indexOf(ghost.texts) : -1;
      left.paint((p) => {
        if (before >= 0) p.rule({ x: ghost.texts, colour: "grid", dash: "none", width: 2 });
        p.rule({ x: values.texts, dash: "none", width: 1 });
        for (const { colour, accuracy } of methods) {
          p.points(accuracy.flatMap((seeds, i) => seeds.map(() => sizes[i])), accuracy.flat(), { colour, size: 2.5, opacity: 0.55 });
          p.line(sizes, accuracy.map(mean), { colour, width: 2 });
          p.mark(values.texts, mean(accuracy[k]), { colour, size: 4.5 });
        }
      });
      right.paint((p) => {
        for (const method of methods) {
          const curve = (i) => steps.map((t) => at(method, i, t)).filter(({ share }) => share >= 0.03);
          const draw = (i, style) => { const rows = curve(i); p.line(rows.map((r) => r.share), rows.map((r) => r.accuracy), { colour: method.colour, ...style }); };
          if (before >= 0 && before !== k) draw(before, { width: 1.2, opacity: 0.3 });
          draw(k, { width: 2 });
        }
        for (const method of methods) {
          const now = at(method, k, values.threshold);
          if (now.share < 0.03) continue;
          p.line([now.share, now.share], [now.low, now.high], { colour: method.colour, width: 1.5, opacity: 0.6 });
          p.mark(now.share, now.accuracy, { colour: method.colour, size: 4.5 });
        }
      });
      const one = (method) => {
        const now = at(method, k, values.threshold);
        return fill(now.accuracy === null ? words.none : words.one, { name: method.name, share: percent(now.share), accuracy: percent(now.accuracy), low: percent(now.low), high: percent(now.high) });
      };
      panel.say(fill(words.status, { texts: format(values.texts, "integer"), threshold: format(values.threshold), list: methods.map(one).join("; ") }));
    });
  },
};
