// One logit, two losses: value and gradient of cross-entropy and of squared error on a sigmoid.
import { Panel, format } from "./core.mjs";

export function compute({ logit, label }) {
  const probability = logit >= 0 ? 1 / (1 + Math.exp(-logit)) : Math.exp(logit) / (1 + Math.exp(logit));
  const gap = probability - label;
  return {
    probability,
    cross_entropy: Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit))),
    squared: gap * gap,
    cross_entropy_gradient: gap,
    squared_gradient: 2 * gap * probability * (1 - probability),
  };
}

const LOGITS = Array.from({ length: 161 }, (_, i) => -8 + i / 10);
const KEYS = [{ label: "cross-entropy", colour: "blue" }, { label: "squared error", colour: "orange" }];

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el });
    const { state } = panel;
    panel.slider({ name: "logit", label: "logit z", min: -8, max: 8, step: 0.1, value: state.logit });
    panel.select({ name: "label", label: "true answer", choices: [["1", "1 (yes)"], ["0", "0 (no)"]], value: String(state.label) });
    const x = { domain: [-8, 8], label: "logit z" };
    const loss = panel.plot({ label: "Loss", keys: KEYS, x, y: { domain: [0, 8.2], label: "loss, nats" }, height: 250 });
    const slope = panel.plot({ label: "Gradient", keys: KEYS, x, y: { domain: [-1.1, 1.1], label: "slope at z" }, height: 250 });
    const begin = () => panel.begin();
    for (const plot of [loss, slope]) plot.onDrag(({ x: z }) => panel.set("logit", Math.round(z * 10) / 10), { begin });

    panel.table(() => ({
      head: ["z", "probability", "cross-entropy", "its gradient", "squared error", "its gradient"],
      rows: [-8, -6, -4, -2, 0, 2, 4, 6, 8].map((z) => {
        const v = compute({ logit: z, label: Number(panel.values.label) });
        return [z, v.probability, v.cross_entropy, v.cross_entropy_gradient, v.squared, v.squared_gradient].map((n) => format(n));
      }),
    }));

    return panel.start((values, ghost) => {
      const label = Number(values.label);
      const now = compute({ logit: values.logit, label });
      const curve = LOGITS.map((logit) => compute({ logit, label }));
      const draw = (plot, suffix) => plot.paint((p) => {
        if (suffix) p.rule({ y: 0, dash: "none", width: 1 });
        p.rule({ x: values.logit, dash: "none", width: 1 });
        for (const [name, colour] of [["squared", "orange"], ["cross_entropy", "blue"]]) {
          p.line(LOGITS, curve.map((v) => v[name + suffix]), { colour });
          if (ghost) p.mark(ghost.logit, compute({ logit: ghost.logit, label })[name + suffix], { colour: "grey", size: 3.5 });
          p.mark(values.logit, now[name + suffix], { colour });
        }
      });
      draw(loss, "");
      draw(slope, "_gradient");
      const ratio = Math.abs(now.cross_entropy_gradient / now.squared_gradient);
      panel.say(`The model says yes with probability ${format(now.probability)}; the answer is ${label}. ` +
        `Cross-entropy ${format(now.cross_entropy)} pulls with ${format(Math.abs(now.cross_entropy_gradient))}, ` +
        `squared error ${format(now.squared)} with ${format(Math.abs(now.squared_gradient))}: ${format(ratio)} times the pull.`);
    });
  },
};
