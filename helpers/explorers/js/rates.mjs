// Learning-rate schedules: the shape that is planned, the part of it that is run, and its area.
import { Panel, fill, format } from "./core.mjs";

// As Python rounds: halves go to the even neighbour.
const round = (x) => {
  const down = Math.floor(x), rest = x - down;
  return rest < 0.5 ? down : rest > 0.5 ? down + 1 : down + (down % 2);
};
const TAKES = { constant: [], step: [], cosine: ["floor"], warmup_cosine: ["warmup", "floor"], wsd: ["warmup", "decay", "floor"] };
const cosine = (step, planned, floor) => floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(step / planned, 1)));

function multiplier(schedule, step, planned, warmup, decay, floor) {
  if (schedule === "constant") return 1;
  if (schedule === "step") return 0.1 ** Math.min(Math.floor((step * 3) / planned), 2);
  if (schedule === "cosine") return cosine(step, planned, floor);
  const rising = Math.max(1, round(warmup * planned));
  if (step < rising) return (step + 1) / rising;
  if (schedule === "warmup_cosine") return cosine(step - rising, Math.max(1, planned - rising), floor);
  const falling = Math.max(1, round(decay * planned));
  return floor + (1 - floor) * Math.min(1, Math.max(0, (planned - step) / falling));
}

// Equal to RateSchedule.compute in Python.
export function compute({ schedule, warmup, decay, floor, planned, run }) {
  const values = Array.from({ length: run }, (_, step) => multiplier(schedule, step, planned, warmup, decay, floor));
  return { values, worth: values.reduce((a, b) => a + b, 0), last: values[run - 1] };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, longest } = state;
    panel.select({ name: "schedule", label: words.schedule, choices: state.shapes.map((name) => [name, words[name]]), value: state.schedule });
    panel.slider({ name: "planned", label: words.planned, min: 20, max: longest, step: 10, value: state.planned, kind: "integer" });
    panel.slider({ name: "run", label: words.run, min: 20, max: longest, step: 10, value: state.run, kind: "integer" });
    panel.slider({ name: "warmup", label: words.warmup, min: 0, max: 0.5, step: 0.01, value: 0.05, kind: "percent" });
    panel.slider({ name: "decay", label: words.decay, min: 0.01, max: 0.5, step: 0.01, value: 0.1, kind: "percent" });
    panel.slider({ name: "floor", label: words.floor, min: 0, max: 0.5, step: 0.01, value: 0 });
    const plot = panel.plot({ label: words.curve, keys: [{ label: words.seen, colour: "blue" }, { label: words.rest, colour: "muted" }],
      x: { domain: [0, longest], label: words.update }, y: { domain: [0, 1.08], label: words.multiplier }, height: 280, wide: true });
    panel.table(() => ({ head: [words.update, words.multiplier], rows: compute(panel.values).values.map((v, k) => [k + 1, format(v, "number", 4)]) }));
    return panel.start((values, ghost) => {
      const now = compute(values), before = ghost && compute(ghost);
      for (const name of TAKES.wsd) panel.controls[name].input.disabled = !TAKES[values.schedule].includes(name);
      const count = (list) => list.map((_, k) => k + 1);
      plot.paint((p) => {
        p.rule({ x: values.planned, label: words.plan });
        if (values.planned > values.run) {
          const rest = compute({ ...values, run: values.planned }).values;
          p.line(count(rest), rest, { colour: "muted", width: 1.4, opacity: 0.8 });
        }
        if (before) p.line(count(before.values), before.values, { colour: "blue", width: 1.2, opacity: 0.25 });
        p.line(count(now.values), now.values, { colour: "blue", width: 2.4 });
        p.mark(values.run, now.last, { colour: "blue", size: 4.5 });
      });
      const plain = values.schedule === "constant";
      const said = fill(words.status, { run: format(values.run, "integer"), worth: format(now.worth, "number", 3), share: format(now.worth / values.run, "percent"), last: format(now.last, "number", 3) });
      panel.say(said + (plain || values.run === values.planned ? "" : ` ${values.run < values.planned ? words.early : words.late}`));
    });
  },
};
