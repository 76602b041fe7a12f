// Models by year on a log axis: point at them, filter them, and fit a line to a span of years.
import { Panel, element, fill, format } from "./core.mjs";

// Share of Student's t distribution between −x and x: a finite sum, because the degrees of freedom are whole.
function inside(x, freedom) {
  const odd = freedom % 2, angle = Math.atan(x / Math.sqrt(freedom)), c = Math.cos(angle), s = Math.sin(angle);
  let term = odd ? c : 1, sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) { term *= (c * c * (k - 1)) / k; sum += term; }
  return odd ? (2 / Math.PI) * (angle + s * sum) : s * sum;
}

function quantile(level, freedom) {
  let low = 0, high = 1e4;
  for (let i = 0; i < 80; i++) { const middle = (low + high) / 2; if (inside(middle, freedom) < level) low = middle; else high = middle; }
  return (low + high) / 2;
}

// The largest of each year, if it exceeds every earlier year.
function leadingOf(rows) {
  const kept = [];
  let best = 0;
  for (const year of [...new Set(rows.map(([y]) => y))].sort((a, b) => a - b)) {
    const largest = Math.max(...rows.filter(([y]) => y === year).map(([, v]) => v));
    if (largest > best) { best = largest; kept.push([year, largest]); }
  }
  return kept;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

export function compute({ years, values, first, last, leading = false, grid = [], level = 0.95 }) {
  let rows = years.map((year, i) => [year, values[i]]).filter(([, v]) => v !== null);
  if (leading) rows = leadingOf(rows);
  rows = rows.filter(([year]) => year >= first && year <= last);
  const count = rows.length, x = rows.map(([year]) => year), y = rows.map(([, v]) => Math.log10(v));
  const nothing = { count, slope: null, factor: null, factor_low: null, factor_high: null, doubling_months: null, line: [], band_low: [], band_high: [] };
  if (count < 3 || Math.max(...x) === Math.min(...x)) return nothing;
  const mx = mean(x), my = mean(y);
  const spread = x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
  const slope = x.reduce((sum, v, i) => sum + (v - mx) * (y[i] - my), 0) / spread;
  const rest = x.reduce((sum, v, i) => sum + (y[i] - my - slope * (v - mx)) ** 2, 0);
  const reach = quantile(level, count - 2) * Math.sqrt(rest / (count - 2)), side = reach / Math.sqrt(spread);
  const line = grid.map((v) => my + slope * (v - mx));
  const half = grid.map((v) => reach * Math.sqrt(1 / count + (v - mx) ** 2 / spread));
  return {
    count, slope, factor: 10 ** slope, factor_low: 10 ** (slope - side), factor_high: 10 ** (slope + side),
    doubling_months: slope > 0 ? (12 * Math.log10(2)) / slope : null,
    line, band_low: line.map((v, i) => v - half[i]), band_high: line.map((v, i) => v + half[i]),
  };
}

const SHAPES = { published: {}, counted: { shape: "up" }, estimate: { hollow: true } };

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { rows, quantities, sizes, colours, words, start, years: span } = panel.state;
    const pairs = (names, prefix = "") => names.map((name) => [name, words[prefix + name]]), groups = Object.keys(colours);
    panel.select({ name: "quantity", label: words.quantity, choices: Object.entries(quantities).map(([k, q]) => [k, q.label]), value: start.quantity });
    panel.select({ name: "group", label: words.group, choices: pairs(["all", ...groups]) });
    panel.select({ name: "rows", label: words.rows, choices: pairs(["all", "firm", "leading"], "rows_") });
    const year = (v) => String(v), grid = Array.from({ length: span[1] - span[0] + 2 }, (_, i) => span[0] + i);
    panel.slider({ name: "first", label: words.first, min: span[0], max: span[1], step: 1, value: start.first, show: year });
    panel.slider({ name: "last", label: words.last, min: span[0], max: span[1], step: 1, value: start.last, show: year });
    const narrow = () => panel.root.clientWidth < 560;
    const plot = panel.plot({ label: "", wide: true, height: 350, left: 40, x: { domain: [span[0] - 0.6, span[1] + 1], label: words.year, names: Object.fromEntries(grid.map((g) => [g, year(g)])) },
      y: { scale: "log", domain: quantities[start.quantity].domain } });
    const below = panel.stack("ce-wide"), marks = element("p", { class: "ce-keys ce-key" });
    marks.style.whiteSpace = "pre-wrap";
    below.append(marks);
    panel.slider({ name: "model", label: words.model, values: rows.map((_, i) => i), value: start.model, place: below, show: (i) => rows[i].name });
    const card = element("div", { class: "ce-hint", "aria-live": "polite" });
    card.style.minHeight = "5.5em";
    below.append(card);
    const wanted = (r, v) => (v.group === "all" || r.group === v.group) && !(v.rows === "firm" && r.values[v.quantity][1] === "estimate");
    const kept = (v) => rows.map((r) => (wanted(r, v) ? r.values[v.quantity][0] : null));
    const fitted = (v) => compute({ years: rows.map((r) => r.year), values: kept(v), grid,
      first: Math.min(v.first, v.last), last: Math.max(v.first, v.last), leading: v.rows === "leading" });
    // Where each model stands: side by side within its year.
    const placed = ({ quantity, group }) => {
      const shown = rows.map((r, i) => ({ r, i })).filter(({ r }) => r.values[quantity][0] !== null && (group === "all" || r.group === group));
      const total = {}, seen = {};
      for (const { r } of shown) total[r.year] = (total[r.year] ?? 0) + 1;
      return shown.map(({ r, i }) => {
        seen[r.year] = (seen[r.year] ?? 0) + 1;
        return { r, i, x: r.year + ((seen[r.year] - 0.5) / total[r.year] - 0.5) * 0.8, y: r.values[quantity][0], basis: r.values[quantity][1] };
      });
    };
    const radius = (r, name) => {
      const value = r.values[name][0], [low, high] = sizes[name].map(Math.log10);
      const share = value === null ? 0.2 : Math.min(1, Math.max(0, (Math.log10(value) - low) / (high - low)));
      return (2.4 + 4.6 * share) * (narrow() ? 0.75 : 1);
    };
    const point = (event) => {
      const at = plot.at(event), px = plot.px(at.x), py = plot.py(at.y);
      let best = null, near = 26;
      for (const one of placed(panel.values)) {
        const distance = Math.hypot(plot.px(one.x) - px, plot.py(one.y) - py);
        if (distance < near) { near = distance; best = one.i; }
      }
      if (best !== null) panel.set("model", best);
    };
    plot.area.addEventListener("pointermove", point);
    plot.area.addEventListener("pointerdown", point);

    const value = (r, name) => {
      const [found, basis] = r.values[name];
      if (found === null) return `${quantities[name].label}: ${name === "training_tokens" && !["language", "multimodal"].includes(r.group) ? words.not_text : words.none}`;
      const unit = name === "training_tokens" ? r.unit : quantities[name].unit;
      return `${format(found, name === "training_flop" ? "number" : "words")} ${unit} (${words[basis]})`;
    };
    const describe = (r, quantity) => {
      const others = Object.keys(quantities).filter((n) => n !== quantity && !(n === "active_parameters" && r.values[n][0] === r.values.parameters[0]));
      const key = model.get("page") ? element("a", { href: `${panel.state.references}#${r.key}`, text: r.key }) : element("span", { text: r.key });
      const strong = element("strong", { text: `${r.name}, ${r.organisation}, ${r.year}: ${value(r, quantity)}. ` });
      strong.style.color = "var(--ce-ink)";
      card.replaceChildren(strong, `${others.map((n) => value(r, n)).join("; ")}. ${words.known}: ${r.how}. ${words.source}: `, key, ".");
    };
    panel.table(() => ({
      head: [words.model, words.year, quantities[panel.values.quantity].unit, words.known, words.source],
      rows: placed(panel.values).map(({ r, y, basis }) => [r.name, String(r.year), format(y, "scientific"), words[basis], r.key]),
    }));

    return panel.start((v, ghost) => {
      const q = quantities[v.quantity], fit = fitted(v), first = Math.min(v.first, v.last), last = Math.max(v.first, v.last);
      plot.title(q.axis, groups.filter((g) => v.group === "all" || g === v.group).map((g) => ({ label: words[g], colour: colours[g], dot: true })));
      marks.textContent = `${words.marks}   (${q.size_label})`;
      plot.frame({ y: { domain: q.domain } });
      const up = (list) => list.map((e) => 10 ** Math.min(60, Math.max(-60, e)));
      plot.paint((p) => {
        p.region(first - 0.5, last + 0.5, { colour: "muted", opacity: 0.06 });
        if (q.rule) p.rule({ y: q.rule.y, label: q.rule.label });
        if (ghost && ghost.quantity === v.quantity) p.line(grid, up(fitted(ghost).line), { colour: "ink", width: 1.5, opacity: 0.2 });
        if (fit.slope !== null) {
          p.band(grid, up(fit.band_low), up(fit.band_high), { colour: "ink", opacity: 0.1 });
          p.line(grid, up(fit.line), { colour: "ink", width: 1.5, dash: "2 5" });
          const within = grid.map((g, i) => (g >= first && g <= last ? i : -1)).filter((i) => i >= 0);
          p.line(within.map((i) => grid[i]), up(within.map((i) => fit.line[i])), { colour: "ink", width: 2 });
        }
        const holders = v.rows === "leading" ? leadingOf(kept(v).map((n, i) => [rows[i].year, n]).filter(([, n]) => n !== null)) : null;
        for (const one of placed(v)) {
          const used = one.r.year >= first && one.r.year <= last && wanted(one.r, v) && (!holders || holders.some(([y, n]) => y === one.r.year && n === one.y));
          p.points([one.x], [one.y], { colour: colours[one.r.group], size: radius(one.r, q.size), opacity: used ? 0.85 : 0.3, ...SHAPES[one.basis] });
        }
        const chosen = placed(v).find(({ i }) => i === v.model);
        if (chosen) { p.points([chosen.x], [chosen.y], { colour: "red", size: 10, hollow: true, opacity: 1 }); p.text(chosen.x, chosen.y, chosen.r.name, { dy: -15 }); }
      });
      describe(rows[v.model], v.quantity);
      const shown = { label: q.label, first, last, count: fit.count };
      if (fit.slope === null) return panel.say(fill(words.few, shown));
      const two = (n) => format(n, "number", 3);
      const doubling = fit.doubling_months === null ? words.shrinks : fill(words.doubles, { months: format(fit.doubling_months, "number", 2) });
      panel.say(fill(words.fit, { ...shown, factor: two(fit.factor), low: two(fit.factor_low), high: two(fit.factor_high), doubling }));
    });
  },
};
