// A sentence whose numbers can be dragged, sliders for the same numbers, and one chart; the chapter's module brings compute().
//
//   import { formula } from "./formula.mjs";
//   export function compute({ size, rate }) { return { cost: size * rate }; }
//   export default formula(compute);
//
// State: inputs [{ name, label, min, max, scale, step, value, kind, unit, mark }], outputs [{ name, label, kind, unit }],
// sentence "A model of [[size]] costs {cost}.", chart { x: input, y: output, scale: "log", marks: [{ x, y, label }] } or null.
import { Panel, element, extent, format } from "./core.mjs";

const show = (value, { kind = "number", unit = "" }) => format(value, kind) + (unit ? ` ${unit}` : "");

function sentence(panel, inputs, outputs) {
  const line = element("p", { class: "ce-sentence" }), parts = {};
  for (const piece of panel.state.sentence.split(/(\[\[\w+\]\]|\{\w+\})/)) {
    const name = piece.replace(/[[\]{}]/g, "");
    if (piece.startsWith("[[")) {
      const spec = inputs.find((one) => one.name === name), input = panel.controls[name].input;
      const node = element("span", { class: "in", role: "slider", tabindex: 0, "aria-label": spec.label });
      const nudge = (steps) => { input.value = Number(input.value) + steps; input.dispatchEvent(new Event("input")); };
      let from = 0, at = 0;
      node.addEventListener("pointerdown", (event) => { panel.begin(); from = event.clientX; at = Number(input.value); node.setPointerCapture(event.pointerId); node.focus(); event.preventDefault(); });
      node.addEventListener("pointermove", (event) => {
        if (node.hasPointerCapture(event.pointerId)) nudge(at + Math.round((event.clientX - from) * Number(input.max) / 400) - Number(input.value));
      });
      node.addEventListener("keydown", (event) => {
        const far = Math.max(1, Math.round(Number(input.max) / 10));
        const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: far, PageDown: -far, Home: -1e9, End: 1e9 }[event.key];
        if (!steps) return;
        event.preventDefault();
        panel.begin();
        nudge(steps);
      });
      parts[name] = [node, spec, input];
      line.append(node);
    } else if (piece.startsWith("{")) {
      const node = element("span", { class: "out" });
      parts[name] = [node, outputs.find((one) => one.name === name)];
      line.append(node);
    } else line.append(piece);
  }
  panel.controlsBox.before(line);
  return (values) => {
    for (const [name, [node, spec, input]] of Object.entries(parts)) {
      node.textContent = show(values[name], spec);
      if (!input) continue;
      node.setAttribute("aria-valuenow", Number(values[name].toPrecision(6)));
      node.setAttribute("aria-valuetext", node.textContent);
    }
  };
}

export function formula(compute) {
  return {
    render({ model, el }) {
      const panel = new Panel({ model, el }), { inputs, outputs, chart, fixed = {} } = panel.state;
      for (const spec of inputs) panel.slider(spec);
      const write = panel.state.sentence ? sentence(panel, inputs, outputs) : () => {};
      const run = (values) => compute({ ...fixed, ...values });
      let plot = null, over = [], input, output;
      if (chart) {
        input = inputs.find((one) => one.name === chart.x);
        output = outputs.find((one) => one.name === chart.y);
        const log = input.scale === "log", size = 120;
        over = Array.from({ length: size + 1 }, (_, i) => log ? input.min * (input.max / input.min) ** (i / size) : input.min + ((input.max - input.min) * i) / size);
        plot = panel.plot({ label: output.label, wide: true, height: 260, left: 58,
          x: { domain: [input.min, input.max], scale: input.scale, label: [input.label, input.unit].filter(Boolean).join(", "), format: input.kind === "integer" ? "si" : input.kind },
          y: { domain: [1, 2], scale: chart.scale, label: output.unit ?? (output.kind === "money" ? "USD" : ""), format: output.kind } });
        plot.onDrag(({ x }) => panel.set(input.name, panel.controls[input.name].read(x)), { begin: () => panel.begin() });
      }
      panel.table(() => ({
        head: ["", ""],
        rows: [...inputs.map((one) => [one.label, show(panel.values[one.name], one)]), ...outputs.map((one) => [one.label, show(run(panel.values)[one.name], one)])],
      }));
      return panel.start((values, ghost) => {
        const results = run(values);
        write({ ...results, ...values });
        if (plot) {
          const curve = (v) => over.map((x) => run({ ...v, [input.name]: x })[output.name]);
          const now = curve(values), before = ghost && curve(ghost), marks = chart.marks ?? [];
          plot.frame({ y: { domain: chart.domain ?? extent([...now, ...marks.map((m) => m.y)], { log: chart.scale === "log" }) } });
          plot.paint((p) => {
            p.rule({ x: values[input.name], colour: "muted", dash: "none", width: 1 });
            if (before) p.line(over, before, { colour: "blue", opacity: 0.28 });
            p.line(over, now, { colour: "blue", width: 2.4 });
            for (const one of marks) { p.points([one.x], [one.y], { colour: "orange", size: 4, opacity: 1 }); p.text(one.x, one.y, one.label, { dy: -9 }); }
            p.mark(values[input.name], results[output.name], { colour: "blue" });
          });
        }
        panel.say(outputs.map((one) => `${one.label}: ${show(results[one.name], one)}`).join(" · "));
      });
    },
  };
}
