// A questionnaire over articles and dates: which duties your answers bring about on a day.
import { Panel, element, fill, format } from "./core.mjs";

const GPAI = 1e23, SYSTEMIC = 1e25, FRONTIER = 1e26;

// States of the rows: -1 no concern, 0 later, 1 in force, 2 ended, 3 undated. Equal to Law.compute in Python.
export function compute({ rows, ...a }) {
  const own = a.training === "none" ? 0 : a.training_flop, changed = a.training === "modified", base = changed ? a.base_flop : 0;
  const flop = base + own, one = changed ? own > base / 3 && flop > GPAI : own > GPAI;
  const gpai = a.role === "provider" && a.general_purpose && one, systemic = gpai && flop > SYSTEMIC;
  const tags = new Set(["system", a.role, a.use]);
  const holds = { generates: a.generates, older_system: a.older_system, new_system: !a.older_system, trains: own > 0, above_1e26: flop > FRONTIER, gpai, systemic,
    personal_data: a.personal_data || a.special_data, special_data: a.special_data, decides: a.decides, public_service: a.public_service, opinion: a.opinion, large: a.large };
  for (const [name, yes] of Object.entries(holds)) if (yes) tags.add(name);
  const state = (row) => {
    if (!a[row.market] || !row.when.every((tag) => tags.has(tag))) return -1;
    if (row.date === null) return 3;
    if (row.until !== null && a.day >= row.until) return 2;
    return a.day >= row.date ? 1 : 0;
  };
  return { states: rows.map(state), provider: gpai ? 1 : 0, systemic: systemic ? 1 : 0, flop };
}

const iso = (day) => new Date(day * 86400000).toISOString().slice(0, 10);

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, flags, markets, uses, start, first, last, rows } = panel.state;
    panel.slider({ name: "day", label: words.day, min: first, max: last, step: 1, value: start.day, show: iso });
    const choices = (names) => Object.entries(names);
    panel.select({ name: "role", label: words.role, choices: choices(words.roles), value: start.role });
    panel.select({ name: "use", label: words.use, choices: choices(uses), value: start.use });
    panel.select({ name: "training", label: words.training, choices: choices(words.trainings), value: start.training });
    panel.slider({ name: "training_flop", label: words.training_flop, min: 1e19, max: 1e28, scale: "log", value: start.training_flop, kind: "scientific" });
    panel.slider({ name: "base_flop", label: words.base_flop, min: 1e21, max: 1e28, scale: "log", value: start.base_flop, kind: "scientific" });
    const group = (text, names) => {
      const box = element("div", { class: "ce-controls", role: "group", "aria-label": text });
      panel.views.before(element("p", { class: "ce-caption", text }), box);
      for (const [name, label] of choices(names)) panel.checkbox({ name, label, value: start[name], place: box });
    };
    group(words.markets, markets);
    group(words.flags, flags);

    const plot = panel.plot({ label: words.plot, wide: true, height: 170, left: 34, x: { domain: [first, last], ticks: [2023, 2024, 2025, 2026, 2027, 2028, 2029].map((y) => Date.UTC(y, 0, 1) / 86400000),
      names: Object.fromEntries([2023, 2024, 2025, 2026, 2027, 2028, 2029].map((y) => [Date.UTC(y, 0, 1) / 86400000, y])) }, y: { domain: [0, 1], label: words.count } });
    plot.onDrag(({ x }) => panel.set("day", panel.controls.day.read(x)), { begin: () => panel.begin() });
    const body = element("tbody"), head = element("tr", {}, ...[words.when, words.rules, words.duty, words.mark].map((text) => element("th", { text, scope: "col" })));
    const list = element("div", { class: "ce-scroll ce-wide ce-text", tabindex: 0, role: "region", "aria-label": words.list }, element("table", {}, element("thead", {}, head), body));
    const empty = element("p", { class: "ce-hint ce-wide", text: words.nothing });
    panel.views.append(list, empty);
    const when = (row, state) => [words.from, words.since, words.until, words.undated][state].replace("{date}", state === 3 ? "" : iso(state === 2 ? row.until : row.date));
    const changes = [...new Set([first, ...rows.flatMap((row) => [row.date, row.until]).filter((d) => d !== null && d > first && d < last), last])].sort((a, b) => a - b);
    const held = (values, day) => compute({ rows, ...values, day }).states.filter((s) => s === 1 || s === 3).length;

    return panel.start((values, ghost) => {
      const now = compute({ rows, ...values }), steps = (v) => {
        const ys = changes.map((day) => held(v, day));
        return [changes.flatMap((d, i) => (i ? [d, d] : [d])), ys.flatMap((y, i) => (i < ys.length - 1 ? [y, y] : [y]))];
      };
      const [xs, ys] = steps(values);
      plot.frame({ y: { domain: [0, Math.max(4, ...ys) * 1.15] } });
      plot.paint((p) => {
        if (ghost) { const [gx, gy] = steps(ghost); p.line(gx, gy, { colour: "blue", opacity: 0.28 }); }
        p.line(xs, ys, { colour: "blue" });
        p.rule({ x: values.day, colour: "ink", dash: "none", width: 1.5 });
        p.mark(values.day, held(values, values.day), { colour: "blue" });
      });
      const order = [1, 3, 0, 2], shown = rows.map((row, i) => [row, now.states[i]]).filter(([, s]) => s >= 0).sort((a, b) => order.indexOf(a[1]) - order.indexOf(b[1]) || (a[0].date ?? 0) - (b[0].date ?? 0));
      body.replaceChildren(...shown.map(([row, state]) => element("tr", {}, element("td", { text: when(row, state) }), element("td", { text: row.article ? `${row.law}, ${row.article}` : row.law }),
        element("td", { text: row.duty }), element("td", { text: row.mark }))));
      list.hidden = shown.length === 0;
      empty.hidden = shown.length > 0;
      const count = (...wanted) => now.states.filter((s) => wanted.includes(s)).length, gpai = !now.flop ? words.gpai_rented : now.systemic ? words.systemic : now.provider ? words.gpai : words.gpai_none;
      panel.say(fill(words.status, { day: iso(values.day), now: count(1, 3), later: count(0), ended: count(2), gpai: fill(gpai, { flop: format(now.flop, "scientific") }) }));
    });
  },
};
