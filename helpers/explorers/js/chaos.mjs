// One weight, trained with every learning rate: order, cycles, chaos.
import { Panel, colours, fill, format, isDark } from "./core.mjs";

const LOW = 0.02, HIGH = 2.1, EDGE = 1, GONE = 2, START = 0.3, STEPS = 60, LIMIT = 1e3, WEIGHT = [-1.55, 1.55];

export function compute({ lr, start = START, steps = STEPS }) {
  const weights = [start];
  for (let i = 0; i < steps; i++) {
    let w = weights[i];
    if (w !== null) {
      w = w - lr * (w * (w * w - 1));
      if (!Number.isFinite(w) || Math.abs(w) > LIMIT) w = null;
    }
    weights.push(w);
  }
  return { weights, losses: weights.map((w) => (w === null ? null : (w * w - 1) ** 2 / 4)) };
}

// After many steps: the values that the weight keeps visiting, and how fast two near weights part (above 0: chaos).
function longRun(lr, visits) {
  let w = START, part = 0;
  for (let i = 0; i < 400; i++) w -= lr * (w * (w * w - 1));
  for (let i = 0; i < visits.length; i++) {
    visits[i] = w;
    part += Math.log(Math.abs(1 + lr - 3 * lr * w * w) + 1e-12);
    w -= lr * (w * (w * w - 1));
  }
  return part / visits.length;
}

function period(lr) {
  const visits = new Float64Array(512);
  if (longRun(lr, visits) > 0.005) return null;
  for (let p = 1; p <= 64; p *= 2) if (Math.abs(visits[p] - visits[0]) < 1e-3) return p;
  for (let p = 3; p <= 64; p++) if (Math.abs(visits[p] - visits[0]) < 1e-3) return p;
  return null;
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// The diagram, once for each width and theme: one column a learning rate.
function draw(p, width, height) {
  const c = colours(), blue = rgb(c.blue), orange = rgb(c.orange);
  const shade = new Float32Array(width * height), tone = new Float32Array(width), visits = new Float64Array(700);
  for (let i = 0; i < width; i++) {
    const lr = LOW + ((HIGH - LOW) * (i + 0.5)) / width;
    if (lr > GONE) continue;
    const part = longRun(lr, visits);
    tone[i] = Math.min(1, Math.max(0, part / 0.25));
    const thick = part < 0 ? Math.round(height / 260) : 0;
    for (const w of visits) {
      const j = Math.floor(((w - WEIGHT[0]) / (WEIGHT[1] - WEIGHT[0])) * height);
      for (let k = j - thick; k <= j + thick; k++) if (k >= 0 && k < height) shade[k * width + i] += 1;
    }
  }
  const clear = [0, 0, 0, 0];
  return p.picture(width, height, (i, j) => {
    const n = shade[j * width + i], t = tone[i], s = 1 - t;
    return n === 0 ? clear : [blue[0] * s + orange[0] * t, blue[1] * s + orange[1] * t, blue[2] * s + orange[2] * t, Math.min(255, 56 + 40 * n)];
  }, { smooth: true });
}

function sentence(words, lr, one, two) {
  const lost = one.findIndex((w) => w === null);
  if (lost >= 0) return fill(words.gone, { lr, steps: lost });
  const times = period(Number(lr));
  if (times === 1) {
    let steps = one.length;
    while (steps > 0 && Math.abs(one[steps - 1] - 1) < 1e-3) steps--;
    return fill(steps >= one.length ? words.slow : words.learned, { lr, steps: Math.min(steps, STEPS) });
  }
  if (times) return fill(words.cycle, { lr, period: times });
  return fill(words.wanders, { lr, steps: STEPS, gap: format(Math.abs(one[STEPS] - two[STEPS]), "number", 2) });
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { words, start } = panel.state;
    panel.slider({ name: "lr", label: words.lr, min: LOW, max: HIGH, step: 0.01, value: start.lr, mark: { value: EDGE, label: words.edge } });
    const diagram = panel.plot({ label: words.diagram, wide: true, height: 270, left: 34, x: { domain: [LOW, HIGH], label: words.lr }, y: { domain: WEIGHT, label: words.weight },
      keys: [{ label: words.settles, colour: "blue" }, { label: words.chaos, colour: "orange" }] });
    const valley = panel.plot({ label: words.valley, height: 200, left: 34, x: { domain: WEIGHT, label: words.weight }, y: { domain: [-0.02, 0.52], label: words.loss } });
    const runs = panel.plot({ label: words.runs, height: 200, left: 34, x: { domain: [0, STEPS], label: words.steps }, y: { domain: WEIGHT, label: words.weight },
      keys: [{ label: words.first, colour: "blue" }, { label: words.second, colour: "orange" }] });
    diagram.onDrag(({ x }) => panel.set("lr", Number(x.toFixed(2))), { begin: () => panel.begin() });
    panel.table(() => {
      const [one, two] = [START, START + 1e-6].map((begin) => compute({ lr: panel.values.lr, start: begin }).weights);
      return { head: [words.steps, words.first_column, words.second_column], rows: one.map((w, i) => [String(i), format(w, "number", 7), format(two[i], "number", 7)]) };
    });

    const curve = Array.from({ length: 80 }, (_, i) => WEIGHT[0] + ((WEIGHT[1] - WEIGHT[0]) * i) / 79), every = Array.from({ length: STEPS + 1 }, (_, i) => i);
    let picture = null, drawn = "";
    return panel.start(({ lr }, ghost) => {
      const one = compute({ lr }), two = compute({ lr, start: START + 1e-6 });
      diagram.paint((p) => {
        p.region(GONE, HIGH, { opacity: 0.12 });
        const wanted = `${p.width} ${isDark()}`;
        if (wanted !== drawn) { picture = draw(p, Math.min(1000, Math.round(1.5 * (p.box.right - p.box.left))), 400); drawn = wanted; }
        else p.layer.append(picture);
        p.rule({ x: EDGE, colour: "red" });
        if (ghost) p.rule({ x: ghost.lr, colour: "muted", dash: "2 3", width: 1 });
        p.rule({ x: lr, colour: "ink", dash: "none", width: 1.5 });
      });
      valley.paint((p) => {
        p.line(curve, curve.map((w) => (w * w - 1) ** 2 / 4), { colour: "ink", width: 1.5 });
        p.line(one.weights, one.losses, { colour: "blue", width: 1, opacity: 0.55 });
        p.points(one.weights, one.losses, { colour: "blue", size: 3, opacity: 0.9 });
      });
      runs.paint((p) => {
        if (ghost) p.line(every, compute({ lr: ghost.lr }).weights, { colour: "blue", opacity: 0.22 });
        p.rule({ y: 1, colour: "muted" });
        p.line(every, two.weights, { colour: "orange", width: 2 });
        p.line(every, one.weights, { colour: "blue", width: 2 });
      });
      panel.say(sentence(words, format(lr), one.weights, two.weights));
    });
  },
};
