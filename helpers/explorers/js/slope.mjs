// A slope measured with a step: secant and tangent beside the error against the step.
import { Panel, fill, format } from "./core.mjs";

const X = [-2.3, 2.6];

// Every operation is rounded to 32 bits, as the processor does it, or left at 64.
export function compute({ x, h, kind = "forward", bits = 32 }) {
  const r = bits === 32 ? Math.fround : (v) => v;
  const a = r(x), step = r(h);
  const curve = (v) => r(r(r(r(v * v) * v) / 3) - v);
  const slope = kind === "forward"
    ? r(r(curve(r(a + step)) - curve(a)) / step)
    : r(r(curve(r(a + step)) - curve(r(a - step))) / r(2 * step));
  const exact = x * x - 1;
  return { slope, exact, error: Math.abs(slope - exact) };
}

const f = (x) => (x * x * x) / 3 - x;
const grid = Array.from({ length: 120 }, (_, i) => X[0] + ((X[1] - X[0]) * i) / 119);
const steps = Array.from({ length: 161 }, (_, i) => 10 ** (-8 + i / 20));

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start } = panel.state;
    panel.slider({ name: "h", label: words.h, min: 1e-8, max: 1, scale: "log", value: start.h });
    panel.slider({ name: "x", label: words.x, min: -2, max: 1.5, step: 0.1, value: start.x });
    panel.select({ name: "kind", label: words.kind, choices: [["forward", words.forward], ["central", words.central]] });
    const curve = panel.plot({ label: words.curve, x: { domain: X, label: "x" }, y: { domain: [-1.9, 3.4] }, height: 270, left: 34,
      keys: [{ label: words.secant, colour: "blue" }, { label: words.tangent, colour: "green", dashed: true }] });
    const error = panel.plot({ label: words.error, x: { domain: [1e-8, 1], scale: "log", label: words.h }, height: 270, left: 44,
      y: { domain: [1e-12, 10], scale: "log", label: words.error_axis },
      keys: [{ label: words.bits32, colour: "blue" }, { label: words.bits64, colour: "orange", dashed: true }] });
    const begin = () => panel.begin();
    curve.onDrag(({ x }) => panel.set("x", Number(Math.min(1.5, Math.max(-2, x)).toFixed(1))), { begin });
    error.onDrag(({ x }) => panel.set("h", Number(x.toPrecision(4))), { begin });
    panel.table(() => ({
      head: [words.h, words.slope, words.tangent],
      rows: [0, -1, -2, -3, -4, -5, -6, -7, -8].map((e) => {
        const { slope, exact } = compute({ ...panel.values, h: 10 ** e });
        return [format(10 ** e), format(slope, "number", 7), format(exact, "number", 7)];
      }),
    }));

    return panel.start((values, ghost) => {
      const { x, h, kind } = values, { slope, exact, error: wrong } = compute(values);
      const line = (at, s) => X.map((v) => f(at) + s * (v - at));
      curve.paint((p) => {
        p.line(grid, grid.map(f), { colour: "ink", width: 2 });
        if (ghost) p.line(X, line(ghost.x, compute(ghost).slope), { colour: "blue", opacity: 0.25 });
        const from = kind === "central" ? x - h : x;
        p.line(X, X.map((v) => f(from) + slope * (v - from)), { colour: "blue", width: 3 });
        p.line(X, line(x, exact), { colour: "green", dash: "5 4", width: 2 });
        p.mark(from, f(from), { colour: "blue" });
        p.mark(x + h, f(x + h), { colour: "blue" });
      });
      error.paint((p) => {
        const floor = 1.3e-12, shown = (v, bits) => steps.map((s) => Math.max(floor, compute({ ...v, h: s, bits }).error));
        if (ghost && (ghost.x !== x || ghost.kind !== kind)) p.line(steps, shown(ghost, 32), { colour: "blue", opacity: 0.25 });
        p.line(steps, shown(values, 64), { colour: "orange", dash: "5 4" });
        p.line(steps, shown(values, 32), { colour: "blue" });
        p.rule({ x: h, colour: "muted", dash: "none", width: 1 });
        p.mark(h, Math.max(floor, wrong), { colour: "blue" });
      });
      const lost = slope === 0 && Math.fround(Math.fround(x) + Math.fround(h)) === Math.fround(x);
      panel.say(fill(lost ? words.lost : words.status,
        { h: format(h), slope: format(slope, "number", 5), exact: format(exact, "number", 5), error: format(wrong, "number", 2) }));
    });
  },
};
