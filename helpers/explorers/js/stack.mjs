// One request through the stack, from the chip to the customer: what each layer receives, pays on and keeps.
import { Panel, extent, fill, format } from "./core.mjs";

// Equal to helpers.economics.stack.chain; layers: chips, power, cloud, models, tooling, application. USD for one request.
export function compute(p) {
  const seconds = (p.input_tokens / p.reading + p.output_tokens / p.writing) / p.speed, hours = seconds / 3600;
  const model = (p.input_tokens * p.input_price + p.output_tokens * p.output_price) / 1e6;
  const chips = (hours * p.device_price) / p.rented_hours, power = hours * p.power, cloud = hours * p.rent;
  const tooling = p.tooling_share * p.customer_price, support = p.support_share * p.customer_price;
  const received = [chips, power, cloud, model, tooling, p.customer_price], paid = [0, 0, chips + power, cloud, 0, tooling + model];
  const margin = (i, own = 0) => (received[i] > 0 ? (received[i] - paid[i] - own) / received[i] : null);
  return { seconds, received, paid, kept: received.map((v, i) => v - paid[i]), margins: [margin(2), margin(3), margin(5, support)] };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, sliders, layers, published, fixed } = panel.state;
    const usd = (v) => `${format(1000 * v)} ${words.usd}`, percent = (v) => format(v, "percent", 2);
    for (const slider of sliders) panel.slider(slider.name === "customer_price" ? { ...slider, show: usd } : slider);
    const run = (values) => compute({ ...fixed, ...values });
    const colours = ["grey", "yellow", "sky", "blue", "purple", "green"], shown = ["cloud", "models", "application"];
    const kept = panel.plot({ label: words.kept, x: { domain: [0, 1], label: words.usd }, y: { domain: [0, 6], ticks: [] }, height: 330, left: 10, right: 20 });
    const margins = panel.plot({ label: words.margins, x: { domain: [-0.5, 1.02], ticks: [-0.5, 0, 0.5, 1], format: "percent" }, y: { domain: [0, 3], ticks: [] },
      height: 230, left: 24, right: 20, keys: [{ label: words.here, colour: "blue", dot: true }, { label: words.published, colour: "orange", dot: true }] });
    panel.table(() => {
      const r = run(panel.values), total = r.kept.reduce((a, b) => a + b, 0), cell = (v) => format(1000 * v);
      return { head: [`${words.layer}, ${words.thousand}`, words.receives, words.pays, words.keeps],
        rows: [...layers.map((name, i) => [words.layers[name], cell(r.received[i]), cell(r.paid[i]), cell(r.kept[i])]), [words.sum, "", "", cell(total)]] };
    });
    return panel.start((values, ghost) => {
      const now = run(values), before = ghost ? run(ghost) : null, thousand = now.kept.map((v) => 1000 * v);
      const [low, high] = extent([0, ...thousand], { air: 0.04 });
      kept.frame({ x: { domain: [Math.min(...thousand) < 0 ? low : 0, high] } });
      kept.paint((p) => {
        layers.forEach((name, k) => {
          const bottom = k + 0.12, v = thousand[k];
          p.band([Math.min(0, v), Math.max(0, v)], [bottom, bottom], [bottom + 0.34, bottom + 0.34], { colour: v < 0 ? "red" : colours[k], opacity: 0.85 });
          if (before) {
            const g = 1000 * before.kept[k];
            p.band([Math.min(0, g), Math.max(0, g)], [bottom - 0.08, bottom - 0.08], [bottom, bottom], { colour: colours[k], opacity: 0.45 });
          }
          p.text(p.x.domain[0], bottom + 0.42, `${words.layers[name]}: ${format(v)} (${percent(now.kept[k] / values.customer_price)})`, { anchor: "start", dy: -2 });
        });
        p.rule({ x: 0, colour: "muted", dash: "none", width: 1 });
      });
      margins.paint((p) => {
        p.rule({ x: 0, colour: "muted", dash: "none", width: 1 });
        shown.forEach((name, k) => {
          const y = k + 0.3, m = now.margins[k];
          for (const row of published.filter((one) => one.layer === name)) {
            if (row.high > row.low) p.line([row.low, row.high], [y, y], { colour: "orange", width: 7, opacity: 0.35 });
            else p.points([row.low], [y], { colour: "orange", size: 4, opacity: 1 });
          }
          if (m !== null) p.mark(Math.min(1, Math.max(-0.5, m)), y, { colour: "blue" });
          p.text(0, k + 0.72, `${words.layers[name]}: ${percent(m)}`, { anchor: "start", dx: 6 });
        });
      });
      panel.say(fill(words.status, { seconds: format(1000 * now.seconds), price: usd(values.customer_price), model: usd(now.received[3]), cloud: usd(now.received[2]),
        chips: usd(now.received[0]), application: percent(now.margins[2]), models: percent(now.margins[1]), clouds: percent(now.margins[0]) }));
    });
  },
};
