// Competing risks: hazards that are constant within pieces of age, multiplied by sliders.
import { Panel, element, fill, format } from "./core.mjs";

export function compute({ starts, rates, factors, months, ages }) {
  const scaled = rates.map((row, k) => row.map((rate) => rate * factors[k]));
  const total = starts.map((_, piece) => scaled.reduce((sum, row) => sum + row[piece], 0));
  const spent = (age) => starts.map((start, piece) => Math.min(Math.max(age - start, 0), (starts[piece + 1] ?? Infinity) - start));
  const used = (age, row) => spent(age).reduce((sum, time, piece) => sum + time * row[piece], 0);
  const alive = (age) => Math.exp(-used(age, total)), reached = starts.map(alive);
  const incidence = (age) => {
    const dead = spent(age).map((time, piece) => reached[piece] * -Math.expm1(-total[piece] * time));
    return scaled.map((row) => row.reduce((sum, rate, piece) => sum + (total[piece] > 0 ? (dead[piece] * rate) / total[piece] : 0), 0));
  };
  const ended = incidence(months), all = ended.reduce((a, b) => a + b, 0), columns = ages.map(incidence);
  let wanted = Math.log(2), half = null;
  for (let piece = 0; piece < starts.length && half === null; piece++) {
    const room = total[piece] > 0 ? total[piece] * ((starts[piece + 1] ?? Infinity) - starts[piece]) : 0;
    if (total[piece] > 0 && wanted <= room) half = starts[piece] + wanted / total[piece];
    else wanted -= room;
  }
  return {
    survival: ages.map(alive), incidence: scaled.map((_, k) => columns.map((column) => column[k])), ended,
    shares: ended.map((share) => (all > 0 ? share / all : 0)), alone: scaled.map((row) => -Math.expm1(-used(months, row))),
    half: half !== null && half <= Math.max(...ages) ? half : null,
  };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { names, colours, words, starts, rates, published, last } = panel.state;
    for (const name of names) {
      panel.slider({ name, label: name, min: 0, max: 4, step: 0.05, value: panel.state.factors[name], show: (v) => `× ${v.toFixed(2)}` });
    }
    panel.slider({ name: "months", label: words.months, min: 6, max: last, step: 6, value: panel.state.months, kind: "integer" });
    const ages = Array.from({ length: last / 2 + 1 }, (_, i) => 2 * i), ones = names.map(() => 1);
    const at = (values, wanted = ages) => compute({ starts, rates, factors: names.map((name) => values[name]), months: values.months, ages: wanted });
    const percent = { format: "percent" };
    const flow = panel.plot({ label: words.becomes, height: 300, left: 48, keys: [{ label: words.alive, colour: "ink" }, { label: words.published, colour: "ink", dot: true }],
      x: { domain: [0, last], label: words.age, ticks: [0, 24, 48, 72, 96, 120] }, y: { domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], label: words.share, ...percent } });
    const bars = panel.plot({ label: words.causes, height: 300, left: 92, right: 46, keys: [{ label: words.baseline, colour: "ink", dot: true }],
      x: { domain: [0, 1], label: words.ended_by, ticks: [0, 0.25, 0.5, 0.75, 1], ...percent }, y: { domain: [names.length - 0.4, -0.6], ticks: names.map((_, k) => k), names: Object.fromEntries(names.map((name, k) => [k, name])) } });
    const begin = () => panel.begin(), place = panel.stack("ce-wide"), box = element("div", { class: "ce-scroll", tabindex: 0, role: "region", "aria-label": words.published });
    flow.onDrag(({ x }) => panel.set("months", Math.min(last, Math.max(6, 6 * Math.round(x / 6)))), { begin });
    place.append(box);
    panel.table(() => {
      const r = at(panel.values);
      return { head: [words.cause, words.factor, words.incidence, words.ended_by, words.alone],
        rows: names.map((name, k) => [name, format(panel.values[name]), format(r.ended[k], "percent"), format(r.shares[k], "percent"), format(r.alone[k], "percent")]) };
    });
    const row = (cells, tag = "td") => element("tr", {}, ...cells.map((text, k) => element(k ? tag : "th", { text, style: "padding-right: 3px", scope: k ? (tag === "th" ? "col" : null) : tag === "th" ? "col" : "row" })));
    const before = compute({ starts, rates, factors: ones, months: panel.state.months, ages });

    return panel.start((values, ghost) => {
      const r = at(values), base = compute({ starts, rates, factors: ones, months: values.months, ages: [0] });
      flow.paint((p) => {
        let below = r.survival;
        for (let k = names.length - 1; k >= 0; k--) {  // the first cause on top, as in the bars
          const above = below.map((v, i) => v + r.incidence[k][i]);
          p.band(ages, below, above, { colour: colours[k], opacity: 0.75 });
          below = above;
        }
        if (ghost) p.line(ages, at(ghost).survival, { colour: "ink", opacity: 0.3 });
        p.line(ages, before.survival, { colour: "ink", width: 1.2, dash: "4 4" });
        p.line(ages, r.survival, { colour: "ink", width: 2.5 });
        p.points(published.months, published.surviving, { colour: "ink", size: 4.5, opacity: 1, clip: false });
        p.rule({ x: values.months, colour: "ink" });
      });
      const top = Math.max(...r.shares, ...base.shares) > 0.5 ? 1 : 0.5;
      bars.frame({ x: { domain: [0, top], ticks: [0, 1, 2, 3, 4].map((i) => (top * i) / 4) } });
      bars.paint((p) => {
        names.forEach((_, k) => {
          p.band([0, r.shares[k]], [k - 0.32, k - 0.32], [k + 0.32, k + 0.32], { colour: colours[k], opacity: 0.75 });
          p.text(Math.max(r.shares[k], base.shares[k]), k, format(r.shares[k], "percent", 2), { anchor: "start", dx: 8, dy: 4 });
        });
        p.points(base.shares, names.map((_, k) => k), { colour: "ink", size: 3.5, opacity: 1 });
      });
      const now = at(values, published.months).survival, shown = (v) => format(v, "percent");
      box.replaceChildren(element("table", {}, element("thead", {}, row([words.years, ...published.months.map((m) => format(m / 12))], "th")),
        element("tbody", {}, row([words.table, ...published.surviving.map(shown)]), row([words.these, ...now.map(shown)]))));
      const most = r.shares.indexOf(Math.max(...r.shares)), all = r.ended.reduce((a, b) => a + b, 0);
      if (all === 0) return panel.say(words.none);
      panel.say(fill(words.status, { months: format(values.months, "integer"), ended: format(all, "percent"), cause: names[most], share: format(r.shares[most], "percent"),
        half: r.half === null ? words.never : fill(words.half, { half: format(Math.ceil(r.half), "integer") }) }));
    });
  },
};
