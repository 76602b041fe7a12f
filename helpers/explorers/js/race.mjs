// Five optimisers race down a surface, each at a multiple of its own best learning rate.
import { Panel, fill, format, isDark } from "./core.mjs";

const FLAT = 0.01, NOISE = 0.3, FIRST = 1e-4, RATIO = 1.2, NUM_RATES = 64, FAR = 1e3, FLOOR = 1e-8;
const METHODS = ["sgd", "momentum", "nesterov", "rmsprop", "adam"];
const COLOURS = { sgd: "grey", momentum: "blue", nesterov: "green", rmsprop: "orange", adam: "red" };
const STARTS = { valley: [-1, 0.6], turned: [-1.131370849898476, -0.282842712474619], banana: [-1.2, 1], saddle: [0.02, 0.9], noisy: [-1, 0.6] };
const BOXES = {
  valley: [[-1.3, 1.3], [-0.9, 0.9]], turned: [[-1.5, 0.7], [-1.4, 0.5]], banana: [[-1.8, 1.8], [-0.8, 1.9]],
  saddle: [[-1.5, 1.5], [-1.1, 1.1]], noisy: [[-1.3, 1.3], [-0.9, 0.9]],
};
const TOPS = { valley: 1, turned: 1, banana: 100, saddle: 10, noisy: 10 };

const SURFACES = {
  valley: [(u, v) => 0.5 * (FLAT * u * u + v * v), (u, v) => [FLAT * u, v]],
  turned: [(u, v) => 0.25 * (FLAT * (u + v) * (u + v) + (v - u) * (v - u)),
    (u, v) => { const along = 0.5 * FLAT * (u + v), across = 0.5 * (v - u); return [along - across, along + across]; }],
  banana: [(u, v) => (1 - u) * (1 - u) + 100 * (v - u * u) * (v - u * u),
    (u, v) => { const bend = 200 * (v - u * u); return [-2 * (1 - u) - 2 * u * bend, bend]; }],
  saddle: [(u, v) => 0.25 * (u * u - 1) * (u * u - 1) + 0.5 * v * v, (u, v) => [(u * u - 1) * u, v]],
  noisy: [(u, v) => 0.5 * (u * u + v * v), (u, v) => [u, v]],
};

function noise() {
  let state = 1;
  return () => {
    let total = 0;
    for (let i = 0; i < 3; i++) {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      total += (2 * state) / 4294967296 - 1;
    }
    return total;
  };
}

function run(surface, method, lr, beta, beta2, corrected, num_steps) {
  const [height, slope] = SURFACES[surface], at = [...STARTS[surface]], first = [0, 0], second = [0, 0], draw = noise();
  const path = [], heights = [];
  let left1 = 1, left2 = 1;
  for (let k = 0; k <= num_steps; k++) {
    if (!(Math.abs(at[0]) < FAR && Math.abs(at[1]) < FAR)) { path.push([null, null]); heights.push(null); continue; }
    path.push([at[0], at[1]]);
    heights.push(height(at[0], at[1]));
    const gradient = slope(at[0], at[1]);
    left1 *= beta;
    left2 *= beta2;
    for (const axis of [0, 1]) {
      const g = gradient[axis] + (surface === "noisy" ? NOISE * draw() : 0);
      let move = g;
      if (method === "momentum" || method === "nesterov") {
        first[axis] = beta * first[axis] + g;
        move = method === "nesterov" ? g + beta * first[axis] : first[axis];
      } else if (method !== "sgd") {
        first[axis] = beta * first[axis] + (1 - beta) * g;
        second[axis] = beta2 * second[axis] + (1 - beta2) * g * g;
        const fixed = method === "adam" && corrected;
        const mean = method === "rmsprop" ? g : first[axis] / (fixed ? 1 - left1 : 1);
        move = mean / (Math.sqrt(second[axis] / (fixed ? 1 - left2 : 1)) + 1e-8);
      }
      at[axis] -= lr * move;
    }
  }
  return [path, heights];
}

function bestRate(surface, method, beta, beta2, corrected, num_steps) {
  let best = FIRST, lowest = Infinity, rate = FIRST;
  for (let i = 0; i < NUM_RATES; i++) {
    const heights = run(surface, method, rate, beta, beta2, corrected, num_steps)[1];
    if (heights[num_steps] !== null) {
      let score = 0;
      for (const one of heights) score += Math.log(one + FLOOR);
      if (score < lowest - 1e-9) { best = rate; lowest = score; }
    }
    rate *= RATIO;
  }
  return best;
}

const remembered = new Map();
function bestRates(surface, beta, beta2, corrected, num_steps) {
  const key = [surface, beta, beta2, corrected, num_steps].join();
  if (!remembered.has(key)) {
    if (remembered.size > 200) remembered.clear();
    remembered.set(key, METHODS.map((method) => bestRate(surface, method, beta, beta2, corrected, num_steps)));
  }
  return remembered.get(key);
}

const WIDE = 64, HIGH = 48, shades = {};
function shade(surface) {  // steps of grey, two for each power of ten of the height
  if (!shades[surface]) {
    const [[left, right], [bottom, top]] = BOXES[surface], height = SURFACES[surface][0];
    shades[surface] = Array.from({ length: WIDE * HIGH }, (_, k) => {
      const u = left + (((k % WIDE) + 0.5) / WIDE) * (right - left), v = bottom + ((Math.floor(k / WIDE) + 0.5) / HIGH) * (top - bottom);
      return Math.max(0, Math.min(70, 8 + 11 * Math.floor(2 * Math.log10(height(u, v) + 1e-4) + 4)));
    });
  }
  return shades[surface];
}

// Equal to Race.compute in Python.
export function compute({ surface, share, beta, beta2, corrected, num_steps }) {
  const rates = bestRates(surface, beta, beta2, corrected, num_steps);
  const found = METHODS.map((method, k) => run(surface, method, share * rates[k], beta, beta2, corrected, num_steps));
  return { rates, paths: found.map((f) => f[0]), heights: found.map((f) => f[1]) };
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, num_steps } = state;
    panel.select({ name: "surface", label: words.surface, choices: state.surfaces.map((name) => [name, words[name]]), value: state.surface });
    panel.slider({ name: "share", label: words.share, min: 0.1, max: 4, scale: "log", value: state.share });
    panel.slider({ name: "beta", label: words.beta, min: 0, max: 0.98, step: 0.01, value: state.beta });
    panel.slider({ name: "beta2", label: words.beta2, values: [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999], value: state.beta2 });
    panel.slider({ name: "step", label: words.step, values: Array.from({ length: num_steps + 1 }, (_, i) => i), value: num_steps, kind: "integer", play: true });
    panel.checkbox({ name: "corrected", label: words.corrected, value: true });
    const keys = METHODS.map((method) => ({ label: words[method], colour: COLOURS[method] }));
    const map = panel.plot({ label: words.map, x: { domain: [-1, 1], label: words.first }, y: { domain: [-1, 1], label: words.second }, height: 300, left: 44 });
    const fall = panel.plot({ label: words.fall, keys, x: { domain: [0, num_steps], label: words.steps }, y: { domain: [1e-8, 1], scale: "log", label: words.height }, height: 300, left: 58 });
    const now = (values) => compute({ ...values, num_steps });
    panel.table(() => {
      const { rates, heights } = now(panel.values), shown = [0, 1, 2, 5, 10, 20, 40, 80, num_steps].filter((k, i, all) => k <= num_steps && all.indexOf(k) === i);
      const rows = METHODS.map((method, m) => [words[method], format(panel.values.share * rates[m]), ...shown.map((k) => format(heights[m][k]))]);
      return { head: ["", words.rate, ...shown.map((k) => `${words.steps} ${k}`)], rows };
    });
    return panel.start((values) => {
      const { rates, paths, heights } = now(values), last = values.step, steps = heights[0].map((_, k) => k), [x, y] = BOXES[values.surface];
      map.frame({ x: { domain: x }, y: { domain: y } });
      fall.frame({ y: { domain: [1e-8, TOPS[values.surface]] } });
      map.paint((p) => {
        const tone = isDark() ? 255 : 0, grey = shade(values.surface);
        p.picture(WIDE, HIGH, (i, j) => [tone, tone, tone, grey[j * WIDE + i]], { smooth: true });
        METHODS.forEach((method, m) => {
          const seen = paths[m].slice(0, last + 1).filter((q) => q[0] !== null), xs = seen.map((q) => q[0]), ys = seen.map((q) => q[1]);
          p.line(xs, ys, { colour: COLOURS[method], width: 1.8, opacity: 0.9 });
          p.points(xs.slice(-1), ys.slice(-1), { colour: COLOURS[method], size: 5, opacity: 1 });
        });
      });
      fall.paint((p) => METHODS.forEach((method, m) => {
        p.line(steps.slice(0, last + 1), heights[m].slice(0, last + 1).map((h) => (h === null ? null : Math.max(h, 1e-9))), { colour: COLOURS[method], width: 2 });
      }));
      const there = METHODS.map((_, m) => m).filter((m) => heights[m][last] !== null).sort((a, b) => heights[a][last] - heights[b][last]);
      const gone = METHODS.filter((_, m) => heights[m][last] === null).map((method) => words[method]).join(", ");
      const lead = there[0];
      const told = lead === undefined ? "" : fill(words.status, { step: last, first: words[METHODS[lead]], low: heights[lead][last] < 1e-12 ? words.tiny : format(heights[lead][last]), rate: format(values.share * rates[lead]), order: there.map((m) => words[METHODS[m]]).join(", ") });
      panel.say(told + (gone ? fill(words.status_away, { names: gone }) : ""));
    });
  },
};
