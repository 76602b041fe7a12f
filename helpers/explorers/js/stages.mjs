// A language model at each stage of its training: the curve, what it writes, and how many of its functions parse.
import { Panel, element, extent, fill, format } from "./core.mjs";

const shown = (prompt) => prompt.trim();

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, models, prompts, rivals, num } = state;
    const last = models[0].stages.length - 1, names = models.map(({ name }) => [name, name]);
    const size = (tokens) => (tokens ? format(tokens, "si") : words.untrained);
    panel.slider({ name: "stage", label: words.stage, min: 0, max: last, step: 1, value: state.stage, kind: "integer", play: true,
      show: (k) => size(models[0].stages[Math.round(k)].tokens) });
    panel.select({ name: "model", label: words.model, choices: names });
    panel.select({ name: "prompt", label: words.prompt, choices: prompts.map((text, i) => [String(i), shown(text)]) });
    const keys = models.map(({ name, colour }) => ({ label: name, colour }));
    const all = models.flatMap(({ bits }) => bits.slice(1)).concat(rivals.map(([, bits]) => bits));
    const first = Math.min(...models.map(({ tokens }) => tokens[1])), most = Math.max(...models.map(({ tokens }) => tokens[tokens.length - 1]));
    const x = { domain: [first * 0.8, most * 1.15], scale: "log", label: words.tokens };
    const left = panel.plot({ label: words.curve, keys, x, y: { domain: extent(all), label: words.bits }, height: 230 });
    const right = panel.plot({ label: words.share, keys, x, y: { domain: [0, 1], label: words.part, format: "percent" }, height: 230 });
    const text = element("pre", { class: "ce-wide", tabindex: 0, role: "region", "aria-label": words.sample });
    text.style.cssText = "margin:0;padding:10px 12px;max-height:300px;min-height:180px;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px;line-height:1.45;border:1px solid var(--ce-grid);border-radius:6px;background:transparent;color:inherit";
    panel.views.append(text);
    panel.table(() => ({ head: [words.model, ...words.head], rows: models.flatMap(({ name, stages }) => stages.map((s) => [name, size(s.tokens), format(s.bits), s.ended === null ? "–" : `${s.accepted} / ${s.ended}`])) }));
    return panel.start((values) => {
      const k = Math.round(values.stage), now = models.find(({ name }) => name === values.model), at = now.stages[k];
      left.paint((p) => {
        for (const [label, bits] of rivals) { p.rule({ y: bits }); p.text(first, bits, label, { anchor: "start", dy: -6, colour: "muted" }); }
        for (const { colour, tokens, bits } of models) p.line(tokens.slice(1), bits.slice(1), { colour, width: 2 });
        for (const { colour, stages } of models) if (stages[k].tokens) p.mark(stages[k].tokens, stages[k].bits, { colour, size: stages === now.stages ? 6 : 4 });
      });
      right.paint((p) => {
        for (const { colour, stages } of models) {
          const rows = stages.filter(({ ended, tokens }) => ended && tokens);
          p.band(rows.map((s) => s.tokens), rows.map((s) => s.low), rows.map((s) => s.high), { colour });
          p.line(rows.map((s) => s.tokens), rows.map((s) => s.accepted / s.ended), { colour, width: 2 });
          if (stages[k].tokens && stages[k].ended) p.mark(stages[k].tokens, stages[k].accepted / stages[k].ended, { colour, size: stages === now.stages ? 6 : 4 });
        }
      });
      text.textContent = at.samples[Number(values.prompt)].replace(/^\n+/, "");
      const said = { model: now.name, tokens: size(at.tokens), bits: format(at.bits), accepted: at.accepted, ended: at.ended, num, low: format(at.low, "percent", 2), high: format(at.high, "percent", 2) };
      panel.say(fill(at.ended === null ? words.before : at.ended ? words.status : words.none, said));
    });
  },
};
