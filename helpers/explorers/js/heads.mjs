// Accuracy for every subset of heads, recorded: the reader switches heads off and sees copying break.
import { Panel, element, fill, format } from "./core.mjs";

// Equal to HeadSwitches.compute in Python.
export function compute({ accuracies, switches }) {
  const index = switches.reduce((sum, on, k) => sum + (on ? 2 ** k : 0), 0);
  return { accuracy: accuracies[index], num_on: switches.filter(Boolean).length, flipped: switches.map((_, k) => accuracies[index ^ (2 ** k)]) };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, accuracies, layers, heads } = panel.state, num = layers * heads;
    const names = Array.from({ length: num }, (_, k) => `head${k}`), place = (k) => ({ layer: Math.floor(k / heads) + 1, head: (k % heads) + 1 });
    for (let layer = 0; layer < layers; layer++) {
      const text = fill(words.group, { layer: layer + 1 }), box = element("div", { class: "ce-controls", role: "group", "aria-label": text });
      box.style.gridTemplateColumns = "repeat(auto-fit, minmax(66px, 1fr))";
      box.style.columnGap = "8px";
      panel.views.before(element("p", { class: "ce-caption", text: text.charAt(0).toUpperCase() + text.slice(1) }), box);
      for (let head = 0; head < heads; head++) panel.checkbox({ name: names[layer * heads + head], label: fill(words.head, { head: head + 1 }), value: true, place: box });
    }
    const all = panel.plot({ label: words.all, keys: [{ label: words.now, colour: "orange", dot: true }, { label: words.others, colour: "blue", dot: true, faint: true }],
      x: { domain: [-0.5, num + 0.5], label: words.num_on, ticks: Array.from({ length: num + 1 }, (_, k) => k) }, y: { domain: [0, 1.03], label: words.accuracy, format: "percent" }, height: 260 });
    const one = panel.plot({ label: words.one, x: { domain: [-0.5, num - 0.5], label: words.flipped, ticks: names.map((_, k) => k), names: Object.fromEntries(names.map((_, k) => [k, `${place(k).layer}.${place(k).head}`])) },
      y: { domain: [0, 1.03], label: words.accuracy, format: "percent" }, height: 260 });
    const bits = accuracies.map((_, index) => names.filter((_, k) => (index >> k) & 1).length);
    const spread = accuracies.map((_, index) => ((index * 0.618034) % 1) * 0.5 - 0.25);
    const read = (values) => names.map((name) => values[name]);
    panel.table(() => {
      const now = compute({ accuracies, switches: read(panel.values) });
      return { head: [words.flipped, words.accuracy], rows: now.flipped.map((value, k) => [`${place(k).layer}.${place(k).head}`, format(value, "percent")]) };
    });
    return panel.start((values) => {
      const switches = read(values), now = compute({ accuracies, switches });
      all.paint((p) => {
        p.points(bits.map((b, i) => b + spread[i]), accuracies, { colour: "blue", size: 2.4, opacity: 0.4 });
        p.mark(now.num_on, now.accuracy, { colour: "orange" });
      });
      one.paint((p) => {
        p.rule({ y: now.accuracy, colour: "orange" });
        now.flipped.forEach((value, k) => { p.line([k, k], [now.accuracy, value], { colour: "muted", width: 1.5 }); p.points([k], [value], { colour: "blue", size: 4.5, hollow: !switches[k], opacity: 1 }); });
      });
      const on = now.flipped.map((value, k) => [value, k]).filter(([, k]) => switches[k]).sort((a, b) => a[0] - b[0]);
      panel.say(fill(on.length ? words.result : words.none, { num_on: now.num_on, num, accuracy: format(now.accuracy, "percent"),
        worst: on.length ? format(on[0][0], "percent") : "", ...(on.length ? place(on[0][1]) : {}) }));
    });
  },
};
