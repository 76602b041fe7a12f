// End dates of a simulated project and how often each task is critical; people, spread, common cause and buffer are sliders.
import { Panel, fill, format } from "./core.mjs";
import { quantile } from "./economics.mjs";

// A table at the standard normal numbers from −4 to 4, read in straight lines.
function read(table, z) {
  const place = Math.min(128, Math.max(0, (z + 4) * 16)), i = Math.min(127, Math.floor(place));
  return table[i] + (table[i + 1] - table[i]) * (place - i);
}

// One project. Of those who are free when a task can start it goes to the one who became free last, else to whoever is free first.
function project(before, days, people, count) {
  const limited = people < days.length, free = new Float64Array(limited ? people : 1), last = new Int32Array(free.length).fill(-1);
  const start = new Float64Array(days.length), finish = new Float64Array(days.length), held = new Int32Array(days.length).fill(-1);
  let end = 0;
  for (let k = 0; k < days.length; k++) {
    for (const row of before[k]) start[k] = Math.max(start[k], finish[row]);
    let who = -1;
    if (limited) {
      for (let w = 0; w < people; w++) if (free[w] <= start[k] && (who < 0 || free[w] > free[who])) who = w;
      if (who < 0) { who = 0; for (let w = 1; w < people; w++) if (free[w] < free[who]) who = w; }
      held[k] = last[who];
      start[k] = Math.max(start[k], free[who]);
    }
    finish[k] = start[k] + days[k];
    if (limited) { free[who] = finish[k]; last[who] = k; }
    end = Math.max(end, finish[k]);
  }
  if (!count) return end;
  const critical = new Uint8Array(days.length);
  for (let k = days.length - 1; k >= 0; k--) {
    if (finish[k] === end) critical[k] = 1;
    if (!critical[k]) continue;
    count[k] += 1;
    for (const row of before[k]) if (finish[row] === start[k]) critical[row] = 1;
    if (held[k] >= 0 && finish[held[k]] === start[k]) critical[held[k]] = 1;
  }
  return end;
}

// Equal to ScheduleRisk.compute in Python; `sorted` is for the drawing.
export function compute({ low, likely, high, before, shares, normals, spread, correlation, people, buffer }) {
  const num = likely.length, draws = normals.length, ends = new Float64Array(draws), count = new Float64Array(num), days = new Float64Array(num);
  const shared = Math.sqrt(correlation), own = Math.sqrt(1 - correlation);
  for (let d = 0; d < draws; d++) {
    for (let k = 0; k < num; k++) {
      const drawn = low[k] + (high[k] - low[k]) * read(shares[k], shared * normals[d][0] + own * normals[d][k + 1]);
      days[k] = Math.max(0, likely[k] + spread * (drawn - likely[k]));
    }
    ends[d] = project(before, days, people, count);
  }
  const plan = project(before, likely, people), promise = plan * (1 + buffer), sorted = ends.slice().sort();
  return { plan, promise, chance: ends.reduce((sum, v) => sum + (v <= promise ? 1 : 0), 0) / draws, mean: ends.reduce((a, b) => a + b, 0) / draws,
    quantiles: [0.1, 0.5, 0.9].map((level) => quantile(sorted, level)), criticality: Array.from(count, (n) => n / draws), sorted };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, fixed, start, most_people } = panel.state, { names } = fixed;
    panel.slider({ name: "spread", label: words.spread, min: 0, max: 2, step: 0.05, kind: "percent", value: start.spread });
    panel.slider({ name: "correlation", label: words.correlation, min: 0, max: 0.9, step: 0.05, kind: "percent", value: start.correlation });
    panel.slider({ name: "people", label: words.people, min: 1, max: most_people, step: 1, kind: "integer", value: start.people });
    panel.slider({ name: "buffer", label: words.buffer, min: 0, max: 1, step: 0.01, kind: "percent", value: start.buffer });
    const known = new Map();
    const run = (values) => {
      const key = JSON.stringify(values);
      if (known.size > 40) known.clear();
      if (!known.has(key)) known.set(key, compute({ ...fixed, ...values }));
      return known.get(key);
    };
    const ends = panel.plot({ label: words.ends, height: 300, left: 44, x: { domain: [0, 100], label: words.days },
      y: { domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format: "percent", label: words.share } });
    const rows = names.map((_, k) => names.length - k);
    const bars = panel.plot({ label: words.critical, height: 300, left: 78, x: { domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format: "percent" },
      y: { domain: [0.4, names.length + 0.6], ticks: rows, names: Object.fromEntries(names.map((name, k) => [rows[k], name])) } });
    ends.onDrag(({ x }) => { const { plan } = run(panel.values); panel.set("buffer", panel.controls.buffer.read(x / plan - 1)); }, { begin: () => panel.begin() });
    panel.table(() => { const r = run(panel.values); return { head: [words.task, words.critical], rows: names.map((name, k) => [name, format(r.criticality[k], "percent")]) }; });
    return panel.start((values, ghost) => {
      const r = run(values), before = ghost && run(ghost), share = Array.from(r.sorted, (_, i) => (i + 1) / r.sorted.length), last = r.sorted.length - 1;
      const all = [r, before].filter(Boolean), low = Math.min(...all.map((q) => Math.min(q.sorted[0], q.plan))), high = Math.max(...all.map((q) => Math.max(q.sorted[last], q.promise)));
      ends.frame({ x: { domain: [Math.max(0, low - 0.05 * (high - low) - 1), high + 0.05 * (high - low) + 1] } });
      ends.paint((p) => {
        p.rule({ x: r.plan, label: words.plan, colour: "muted" });
        if (r.promise > r.plan) p.rule({ x: r.promise, label: words.promise, colour: "orange", at: 1 });
        if (before) p.line(before.sorted, share, { opacity: 0.25 });
        p.line(r.sorted, share, { width: 2.4 });
        p.mark(r.promise, r.chance, { colour: "orange", label: format(r.chance, "percent", 2) });
      });
      bars.paint((p) => names.forEach((_, k) => {
        if (before) p.line([0, before.criticality[k]], [rows[k] + 0.28, rows[k] + 0.28], { colour: "red", width: 3, opacity: 0.25 });
        if (r.criticality[k] > 0) p.line([0, r.criticality[k]], [rows[k], rows[k]], { colour: "red", width: 7, opacity: 0.85 });
      }));
      const day = (v) => format(v, "number", v >= 100 ? 4 : 3);
      panel.say(fill(words.status, { plan: day(r.plan), promise: day(r.promise), buffer: format(values.buffer, "percent"), chance: format(r.chance, "percent", 2),
        half: day(r.quantiles[1]), late: day(r.quantiles[2]), tasks: names.length, watch: r.criticality.filter((share) => share >= 0.05).length }));
    });
  },
};
