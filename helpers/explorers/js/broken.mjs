// A gallery of recorded broken runs: curves and checks, a diagnosis to choose, feedback, the cure beside it.
import { Panel, element, fill, format } from "./core.mjs";

const COLOURS = ["blue", "orange", "purple", "sky"], LEFT = "text-align: left; white-space: normal; vertical-align: top";

// The range of what is finite, a little wider; on log axes zeros count as a thousandth of the smallest.
function range(lists, log) {
  const all = lists.flat().filter((v) => v !== null && Number.isFinite(v) && (!log || v > 0));
  if (!all.length) return log ? [1e-6, 1] : [0, 1];
  const low = Math.min(...all), high = Math.max(...all);
  return log ? [low / 3, high * 3] : [Math.min(0, low), high * 1.06 || 1];
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, faults, runs, programs, first } = panel.state;
    const named = new Set(), tried = new Set(), seen = new Set();  // letters of runs: named, with a checked diagnosis, cure shown
    let asked = null;                                   // the diagnosis that was checked last, for the run shown
    const run = panel.select({ name: "run", label: words.run, choices: runs.map(({ letter }) => [letter, letter]), value: first });
    const names = Object.entries(faults).map(([key, { name }]) => [key, name]).sort((a, b) => a[1].localeCompare(b[1]));
    const diagnosis = panel.select({ name: "diagnosis", label: words.diagnosis, choices: [["", words.choose], ...names], value: "" });
    const row = element("div", { class: "ce-foot" });
    const task = element("p", { class: "ce-hint" });
    panel.views.before(row, panel.status, task);
    panel.button(words.check, () => {
      const { values } = panel, { fault } = runs.find(({ letter }) => letter === values.run);
      if (!values.diagnosis) return diagnosis.input.focus();
      asked = values.diagnosis;
      tried.add(values.run);
      if (asked === fault && !seen.has(values.run)) named.add(values.run);
      panel.queue();
    }, row);
    const reveal = panel.checkbox({ name: "reveal", label: words.reveal, place: row });
    const forget = () => { asked = null; };
    run.input.addEventListener("change", () => { forget(); panel.set("diagnosis", ""); panel.set("reveal", false); });
    diagnosis.input.addEventListener("change", forget);

    const x = { domain: [0, 1], label: words.step };
    const loss = panel.plot({ label: words.loss, height: 230, x, y: { domain: [0, 1] } });
    const score = panel.plot({ label: words.scores, height: 230, x: { ...x }, y: { domain: [0, 1] } });
    const gradient = panel.plot({ label: words.gradients, height: 230, x: { ...x }, y: { domain: [1e-6, 1], scale: "log" } });
    const update = panel.plot({ label: words.updates, height: 230, x: { ...x }, y: { domain: [1e-6, 1], scale: "log" } });
    const body = element("tbody"), head = element("tr");
    const checks = element("div", { class: "ce-scroll ce-wide", style: "max-height: none", tabindex: 0, role: "region", "aria-label": words.check_name }, element("table", {}, element("thead", {}, head), body));
    const cure = element("div", { class: "ce-scroll ce-wide", style: "max-height: none", tabindex: 0, role: "region", "aria-label": words.line_right });
    panel.views.append(checks, cure);
    const text = (key, { checks: found }) => {
      const value = found[key];
      if (value === null || value === undefined) return words.none;
      if (key === "sees_too_much") return value ? words.yes : words.no;
      if (key === "inputs") return Object.values(value).map(([mean, spread]) => `${format(mean)} ± ${format(spread)}`).join(", ");
      if (key === "first_labels") return value.join(" ");
      if (key === "dead" || key === "neighbours" || key === "stale") return format(value, "percent");
      return format(value);
    };
    const rows = ["start", "one_batch", "again", "dead", "spread", "sees_too_much", "inputs", "first_labels", "neighbours", "stale", "served"];
    const zero = (values, floor) => values.map((v) => (v === null ? null : Math.max(v, floor)));

    return panel.start((values) => {
      const shown = runs.find(({ letter }) => letter === values.run), fault = faults[shown.fault];
      const broken = programs[shown.broken], mended = programs[shown.mended], open = values.reveal && tried.has(values.run);
      reveal.input.disabled = !tried.has(values.run);                     // first the diagnosis, then the cure
      if (open) seen.add(values.run);
      const end = Math.max(broken.at[broken.at.length - 1], open ? mended.at[mended.at.length - 1] : 1);
      const draw = (plot, series, { log = false, fixed = null } = {}) => {
        const domain = fixed ?? range(series.map(([, ys]) => ys), log);
        plot.frame({ x: { domain: [0, end] }, y: { domain, scale: log ? "log" : "linear" } });
        plot.paint((p) => series.forEach(([xs, ys, options]) => p.line(xs, log ? zero(ys, domain[0]) : ys, options)));
      };
      const losses = [[broken.batch_at, broken.batch, { colour: "grey", width: 1, opacity: 0.6 }], [broken.at, broken.train_loss, { colour: "blue" }], [broken.at, broken.validation_loss, { colour: "orange" }],
        ...(open ? [[mended.at, mended.validation_loss, { colour: "green", width: 2.5 }]] : [])];
      const highest = Math.max(...losses.flatMap(([, ys]) => ys.filter((v) => v !== null)));
      const keys = [{ label: words.train, colour: "blue" }, { label: words.validation, colour: "orange" }, ...(open ? [{ label: words.mended, colour: "green" }] : [])];
      loss.title(words.loss, [{ label: words.batch, colour: "grey", faint: true }, ...keys]);
      score.title(words.scores, keys);
      draw(loss, losses, { log: highest > 20 });
      draw(score, [[broken.at, broken.train_score, { colour: "blue" }], [broken.at, broken.validation_score, { colour: "orange" }],
        ...(open ? [[mended.at, mended.validation_score, { colour: "green", width: 2.5 }]] : [])].map(([xs, ys, o]) => [xs, ys.map((v) => (v === null ? null : Math.max(v, 0))), o]), { fixed: [0, 1.03] });
      for (const [plot, key, floor] of [[gradient, "gradients", 1e-6], [update, "updates", 1e-7]]) {
        plot.title(words[key], broken.layers.map((name, k) => ({ label: name, colour: COLOURS[k] })));
        const lists = [...broken[key], ...(open ? mended[key] : [])], [low, high] = range(lists, true);
        const domain = [Math.max(Math.min(low, 1e-4), floor), Math.max(high, 1e-2)];
        draw(plot, broken[key].map((ys, k, { length }) => [broken.at, ys, { colour: COLOURS[k], width: 2 + 1.4 * (length - 1 - k) }]).concat(open ? mended[key].map((ys, k) => [mended.at, ys, { colour: COLOURS[k], dash: "5 4", width: 1.6 }]) : []), { log: true, fixed: domain });
      }
      task.textContent = fill(words.task, { letter: shown.letter, task: shown.task });
      head.replaceChildren(...[words.check_name, words.broken, ...(open ? [words.healthy] : [])].map((t) => element("th", { style: LEFT, text: t, scope: "col" })));
      body.replaceChildren(...rows.map((key) => element("tr", {}, element("td", { style: LEFT, text: fill(words[key], { expected: format(broken.checks.expected) }) }), element("td", { style: LEFT, text: text(key, broken) }), ...(open ? [element("td", { style: LEFT, text: text(key, mended) })] : []))));
      cure.hidden = !open;
      cure.replaceChildren(element("table", {}, element("tbody", {}, ...[["line_wrong", fault.wrong], ["line_right", fault.right]].map(([label, code]) => element("tr", {}, element("td", { style: LEFT, text: words[label] }), element("td", { style: LEFT }, element("code", { text: code })))))));
      const facts = { letter: shown.letter, task: shown.task, named: named.size, num: runs.length, name: fault.name, why: fault.why, before: format(broken.checks.served, "percent"), after: format(mended.checks.served, "percent") };
      const guess = faults[values.diagnosis];
      panel.say(fill(open ? words.say_cure : !guess ? words.say_ask : asked !== values.diagnosis ? words.say_open : asked === shown.fault ? words.say_right : words.say_wrong,
        { ...facts, ...(guess && !open ? { name: guess.name, expect: guess.expect } : {}) }));
    });
  },
};
