// Recorded quality of full tuning and adapters over the number of pairs; memory and storage of both, computed.
import { Panel, fill, format } from "./core.mjs";

// Equal to Tuning.compute in Python.
export function compute({ layers, width, rank, customers }) {
  const weights = 12 * layers * width ** 2, adapters = 18 * layers * width * rank;
  return {
    weights, adapters, share: adapters / weights, full: 16 * weights, lora: 2 * weights + 16 * adapters,
    full_store: 2 * weights * customers, lora_store: 2 * weights + 2 * adapters * customers,
  };
}

const size = (bytes) => `${format(bytes, "si")}B`;

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, methods, num_pairs: nums, before, models } = panel.state;
    const named = (name) => methods.find((m) => m.name === name), shape = (name) => models.find((m) => m.name === name);
    panel.select({ name: "method", label: words.method, choices: methods.map((m) => [m.name, m.name]), value: methods[Math.min(2, methods.length - 1)].name });
    panel.slider({ name: "num", label: words.num, values: nums, value: nums[nums.length - 1], kind: "integer" });
    panel.select({ name: "measure", label: words.measure, choices: ["summaries", "code"].map((key) => [key, words[key]]), value: "summaries" });
    panel.select({ name: "model", label: words.model, choices: models.map((m) => [m.name, m.name]), value: models[2].name });
    panel.slider({ name: "rank", label: words.rank, values: [1, 2, 4, 8, 16, 32, 64, 128], value: 8, kind: "integer" });
    panel.slider({ name: "customers", label: words.customers, values: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], value: 100, kind: "integer" });
    const keys = [...methods.map(({ name, colour }) => ({ label: name, colour })), { label: words.before, colour: "muted" }];
    const left = panel.plot({ label: words.recorded, keys, height: 300, left: 44,
      x: { domain: [nums[0] / 1.3, nums[nums.length - 1] * 1.3], scale: "log", label: words.num }, y: { domain: [0, 1], label: words.bits } });
    const ends = [1, 2, 4, 8, 16, 32, 64, 128], x = { domain: [1, 128], scale: "log", label: words.rank };
    const right = panel.plot({ label: words.training, height: 300, left: 52, keys: [{ label: words.full, colour: "orange" }, { label: words.lora, colour: "blue" }],
      x, y: { domain: [1e6, 1e13], scale: "log", label: words.files, format: "si" } });
    left.onDrag(({ x: at }) => panel.set("num", nums.reduce((a, b) => (Math.abs(Math.log(b / at)) < Math.abs(Math.log(a / at)) ? b : a))), { begin: () => panel.begin() });
    right.onDrag(({ x: at }) => panel.set("rank", ends.reduce((a, b) => (Math.abs(Math.log(b / at)) < Math.abs(Math.log(a / at)) ? b : a))), { begin: () => panel.begin() });
    const of = (values, rank = values.rank) => compute({ ...shape(values.model), rank, customers: values.customers });
    panel.table(() => ({ head: [words.num, ...methods.map(({ name }) => name)],
      rows: nums.map((num, k) => [format(num, "integer"), ...methods.map((m) => format(m[panel.values.measure][k]))]) }));
    return panel.start((values) => {
      const chosen = named(values.method), k = nums.indexOf(values.num), { measure } = values, now = of(values);
      const near = methods.filter((m) => m === chosen || !panel.state.far.includes(m.name));  // a far one is drawn in full when it is chosen
      const all = [...near.flatMap((m) => m[measure]), before[measure]], low = Math.min(...all), high = Math.max(...all);
      const room = 0.08 * (high - low || 1);
      left.frame({ y: { domain: [low - room, high + room], label: words.bits } });
      left.paint((p) => {
        p.rule({ y: before[measure] });
        for (const { name, colour, [measure]: curve } of methods) {
          p.line(nums, curve, { colour, width: name === values.method ? 2.8 : 1.4, opacity: name === values.method ? 1 : 0.75 });
        }
        p.rule({ x: values.num, dash: "none", width: 1 });
        p.mark(values.num, chosen[measure][k], { colour: chosen.colour });
      });
      const rows = ends.map((rank) => of(values, rank));
      right.frame({ y: { domain: [now.weights, 40 * now.weights], scale: "log", label: words.files, format: "si" } });
      right.paint((p) => {
        p.line(ends, rows.map((row) => row.full), { colour: "orange", width: 2.2 });
        p.line(ends, rows.map((row) => row.lora), { colour: "blue", width: 2.2 });
        p.rule({ x: values.rank, dash: "none", width: 1 });
        p.mark(values.rank, now.lora, { colour: "blue" });
      });
      const by = before[measure] - chosen[measure][k];
      panel.say(fill(words.status, {
        method: values.method, num: format(values.num, "integer"), bits: format(chosen[measure][k]), measure: words[measure],
        gain: fill(by >= 0 ? words.better : words.worse, { by: format(Math.abs(by), "number", 2) }), parameters: format(now.weights, "words"),
        rank: values.rank, adapters: format(now.adapters, "words"), share: format(now.share, "percent", 2), lora: size(now.lora), full: size(now.full),
        lora_store: size(now.lora_store), full_store: size(now.full_store), customers: format(values.customers, "integer"),
      }));
    });
  },
};
