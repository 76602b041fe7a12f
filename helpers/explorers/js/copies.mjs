// Bands and rows of MinHash signatures: the curve of candidates over the pairs of a real pile.
import { Panel, fill, format } from "./core.mjs";

const chanceOf = (similarity, bands, rows) => 1 - (1 - similarity ** rows) ** bands;

// Equal to NearCopies.compute in Python.
export function compute({ bands, rows, threshold, counts }) {
  const out = { chance: chanceOf(threshold, bands, rows), knee: (1 / bands) ** (1 / rows), copies: 0, found: 0, wasted: 0, total: 0 };
  counts.forEach((count, k) => {
    const middle = (k + 0.5) / counts.length, candidates = count * chanceOf(middle, bands, rows);
    out.total += count;
    if (middle >= threshold) { out.copies += count; out.found += candidates; } else out.wasted += candidates;
  });
  return out;
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, counts } = state;
    panel.slider({ name: "bands", label: words.bands, values: [1, 2, 4, 6, 8, 10, 14, 20, 25, 32, 40, 50, 64], value: state.bands, kind: "integer" });
    panel.slider({ name: "rows", label: words.rows, values: [1, 2, 3, 4, 5, 6, 8, 10, 12, 16], value: state.rows, kind: "integer" });
    panel.slider({ name: "threshold", label: words.threshold, min: 0.3, max: 0.96, step: 0.02, value: state.threshold, show: (v) => v.toFixed(2) });
    const x = { domain: [0, 1], label: words.similarity };
    const left = panel.plot({ label: words.chance, x, y: { domain: [0, 1.04], label: words.probability }, height: 270 });
    const right = panel.plot({ label: words.pairs, keys: [{ label: words.all, colour: "grey" }, { label: words.candidates, colour: "blue" }], height: 270,
      x, y: { domain: [0.5, 2 * Math.max(...counts)], scale: "log", label: words.count, format: "si" } });
    const grid = Array.from({ length: 121 }, (_, k) => k / 120), middles = counts.map((_, k) => (k + 0.5) / counts.length);
    const curve = ({ bands, rows }) => grid.map((s) => chanceOf(s, bands, rows));
    for (const plot of [left, right]) plot.onDrag(({ x: at }) => panel.set("threshold", panel.controls.threshold.read(Math.min(0.96, Math.max(0.3, Math.round(at * 50) / 50)))), { begin: () => panel.begin() });
    panel.table(() => ({ head: [words.similarity, words.probability, words.all],
      rows: middles.map((s, k) => [s.toFixed(3), chanceOf(s, panel.values.bands, panel.values.rows).toFixed(4), format(counts[k], "integer")]) }));
    return panel.start((values, ghost) => {
      const now = compute({ ...values, counts });
      left.paint((p) => {
        p.rule({ x: values.threshold });
        if (ghost) p.line(grid, curve(ghost), { colour: "blue", opacity: 0.28 });
        p.line(grid, curve(values), { colour: "blue", width: 2.4 });
        p.line([now.knee, now.knee], [0, 1.04], { colour: "orange", dash: "4 3", width: 1.4 });
        const far = now.knee > 0.4; // the label stands where the curve is not
        p.text(now.knee, far ? 0.95 : 0.05, words.knee, { anchor: far ? "end" : "start", dx: far ? -5 : 5 });
        p.mark(values.threshold, now.chance, { colour: "blue" });
      });
      right.paint((p) => {
        p.rule({ x: values.threshold, label: words.cut });
        middles.forEach((s, k) => {
          if (!counts[k]) return;
          p.line([s, s], [0.5, counts[k]], { colour: "grey", width: 5, opacity: 0.6 });
          const taken = counts[k] * chanceOf(s, values.bands, values.rows);
          if (taken > 0.5) p.line([s, s], [0.5, taken], { colour: "blue", width: 5 });
        });
      });
      const whole = (v) => format(Math.round(v), "integer");
      panel.say(fill(words.status, { hashes: whole(values.bands * values.rows), threshold: values.threshold.toFixed(2), chance: format(now.chance, "percent"),
        copies: whole(now.copies), found: whole(now.found), wasted: whole(now.wasted), total: whole(now.total) }));
    });
  },
};
