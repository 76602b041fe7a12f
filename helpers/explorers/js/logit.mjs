// One logit, two losses: value and gradient of cross-entropy and of squared error on a sigmoid.
import { Panel, fill, format } from "./core.mjs";

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

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el });
    const { state } = panel, { words } = state;
    panel.slider({ name: "logit", label: words.logit, min: -8, max: 8, step: 0.1, value: state.logit });
    panel.select({ name: "label", label: words.answer, choices: [["1", words.yes], ["0", words.no]], value: String(state.label) });
    const x = { domain: [-8, 8], label: words.logit }, keys = [{ label: words.cross_entropy, colour: "blue" }, { label: words.squared, colour: "orange" }];
    const loss = panel.plot({ label: words.loss, keys, x, y: { domain: [0, 8.2], label: words.loss_axis }, height: 250 });
    const slope = panel.plot({ label: words.gradient, keys, x, y: { domain: [-1.1, 1.1], label: words.gradient_axis }, height: 250 });
    const begin = () => panel.begin();
    for (const plot of [loss, slope]) plot.onDrag(({ x: z }) => panel.set("logit", Math.round(z * 10) / 10), { begin });

    panel.table(() => ({
      head: words.columns,
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
      panel.say(fill(words.status, { probability: format(now.probability), answer: label, cross_entropy: format(now.cross_entropy),
        pull: format(Math.abs(now.cross_entropy_gradient)), squared: format(now.squared), squared_pull: format(Math.abs(now.squared_gradient)), ratio: format(ratio) }));
    });
  },
};
