// One budget, four strategies: where the trials of a search fall, how the best one improves, what the winner is worth.
import { Panel, bytes, colours, fill, format } from "./core.mjs";

const STRATEGIES = ["grid", "random", "halving", "optuna"], KEEP = 3;

function generator(repeat, axes) {
  let state = 1000 * repeat + axes;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let bits = state;
    for (const [shift, factor] of [[16, 0x85ebca6b], [13, 0xc2b2ae35]]) bits = Math.imul(bits ^ (bits >>> shift), factor) >>> 0;
    return ((bits ^ (bits >>> 16)) >>> 0) / 4294967296;
  };
}

const cellOf = (places, sizes) => sizes.reduce((cell, size, axis) => cell * size + (axis < places.length ? places[axis] : Math.floor(size / 2)), 0);

function grid(draw, sizes, axes, trials) {
  let levels = 1;
  while ((levels + 1) ** axes <= trials) levels++;
  const shifts = Array.from({ length: axes }, draw);
  return Array.from({ length: levels ** axes }, (_, number) => cellOf(shifts.map((shift, axis) => {
    const level = Math.floor(number / levels ** (axes - 1 - axis)) % levels;
    return Math.floor(((level + shift) * sizes[axis]) / levels);
  }), sizes));
}

const random = (draw, sizes, axes, trials) => Array.from({ length: trials }, () => cellOf(Array.from({ length: axes }, (_, axis) => Math.floor(draw() * sizes[axis])), sizes));

// Equal to SearchBudget.compute in Python.
export function compute({ strategy, axes, trials, repeat, right, sizes, rungs, epoch_flops, paths }) {
  const halving = strategy === "halving";
  const cells = strategy === "optuna" ? paths[axes - 1][repeat].slice(0, trials)
    : (strategy === "grid" ? grid : random)(generator(repeat, axes), sizes, axes, trials * (halving ? 9 : 1));
  const numSeeds = right[0].length, last = rungs.length - 1, epochs = cells.map(() => 0), scores = cells.map(() => 0), spent = [], best = [];
  let alive = cells.map((_, trial) => trial), total = 0, flops = 0;
  for (let rung = halving ? 0 : last; rung <= last; rung++) {
    if (epochs[alive[0]]) alive = [...alive].sort((a, b) => scores[b] - scores[a]).slice(0, Math.max(1, Math.floor(alive.length / KEEP)));
    for (const trial of alive) {
      const more = rungs[rung] - epochs[trial];
      total += more;
      epochs[trial] = rungs[rung];
      flops += more * epoch_flops[Math.floor(cells[trial] / sizes[2]) % sizes[1]];
      scores[trial] = right[cells[trial]][(trial + repeat) % numSeeds][rung];
      spent.push(total);
      best.push(Math.max(scores[trial], best.length ? best[best.length - 1] : 0));
    }
  }
  const winner = alive.reduce((first, trial) => (scores[trial] > scores[first] ? trial : first));
  return { cells, epochs, spent, best, winner: cells[winner], score: scores[winner], flops };
}

const mix = (one, two, share) => [1, 3, 5].map((k) => Math.round((1 - share) * parseInt(one.slice(k, k + 2), 16) + share * parseInt(two.slice(k, k + 2), 16)));
const inside = (percent) => Math.max(80.1, percent);
const median = (values) => { const v = [...values].sort((a, b) => a - b), m = v.length >> 1; return v.length % 2 ? v[m] : (v[m - 1] + v[m]) / 2; };

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words, sizes, rungs, lrs, widths, decays, test, start } = state;
    const raw = bytes(state.right), depth = rungs.length, right = test.map((_, cell) => Array.from({ length: state.seeds }, (_, s) => Array.from({ length: depth }, (_, r) => raw[(cell * state.seeds + s) * depth + r])));
    const table = { right, sizes, rungs, epoch_flops: state.epoch_flops, paths: state.paths }, repeats = state.paths[0].length, most = state.paths[0][0].length;
    const share = (cell) => (100 * test[cell]) / state.num_test, run = (values, repeat = values.repeat - 1) => compute({ ...values, axes: Number(values.axes), repeat, ...table });

    panel.select({ name: "strategy", label: words.strategy, choices: STRATEGIES.map((name) => [name, words[name]]), value: start.strategy });
    panel.select({ name: "axes", label: words.axes, choices: ["1", "2", "3"].map((n) => [n, words[`axes_${n}`]]), value: String(start.axes) });
    panel.slider({ name: "trials", label: words.trials, values: Array.from({ length: most / 3 }, (_, i) => 3 * i + 3), value: start.trials, kind: "integer" });
    panel.slider({ name: "repeat", label: words.repeat, values: Array.from({ length: repeats }, (_, i) => i + 1), value: start.repeat, kind: "integer", play: true });

    const half = Math.sqrt(lrs[1] / lrs[0]), names = Object.fromEntries(widths.map((w, i) => [i, String(w)]));
    const map = panel.plot({ label: words.map, keys: [{ label: words.trial, colour: "ink", dot: true }, { label: words.winner, colour: "orange", dot: true }],
      x: { domain: [lrs[0] / half, lrs[lrs.length - 1] * half], scale: "log", label: words.rate },
      y: { domain: [-0.5, widths.length - 0.5], ticks: widths.map((_, i) => i), names, label: words.width }, height: 250, left: 34 });
    const course = panel.plot({ label: words.course, x: { domain: [0, most * rungs[depth - 1]], label: words.spent }, y: { domain: [50, 100], label: words.accuracy }, height: 250, left: 40 });
    const spread = panel.plot({ label: words.spread, wide: true, keys: [{ label: words.median, colour: "orange" }],
      x: { domain: [80, 100], ticks: [80, 85, 90, 95, 100], names: { 80: words.least }, label: words.test },
      y: { domain: [-0.5, 3.5], ticks: [0, 1, 2, 3], names: Object.fromEntries(STRATEGIES.map((name, i) => [3 - i, words[name]])) }, height: 190, left: 122, right: 18 });

    const remembered = new Map();
    const all = ({ axes, trials }) => {
      const key = `${axes} ${trials}`;
      if (!remembered.has(key)) remembered.set(key, STRATEGIES.map((strategy) => Array.from({ length: repeats }, (_, r) => share(run({ strategy, axes, trials }, r).winner))));
      return remembered.get(key);
    };

    panel.table(() => ({ head: [words.strategy, words.median, ...Array.from({ length: repeats }, (_, r) => String(r + 1))],
      rows: all(panel.values).map((found, s) => [words[STRATEGIES[s]], format(median(found)), ...found.map((v) => format(v))]) }));

    return panel.start((values, ghost) => {
      const now = run(values), before = ghost && run(ghost), places = (cell) => [Math.floor(cell / (sizes[1] * sizes[2])), Math.floor(cell / sizes[2]) % sizes[1], cell % sizes[2]];
      const [i0, j0, k0] = places(now.winner);
      map.paint((p) => {
        const c = colours();
        p.picture(lrs.length, widths.length, (i, j) => mix(c.paper, c.blue, 0.05 + 0.75 * Math.max(0, (share(cellOf([i, j, k0], sizes)) - 50) / 50) ** 2));
        rungs.forEach((rung, r) => {
          const mine = now.cells.map((cell, t) => [places(cell), now.epochs[t]]).filter(([, epochs]) => epochs === rung).map(([place]) => place);
          p.points(mine.map(([i]) => lrs[i]), mine.map(([, j]) => j), { colour: "ink", size: 2 + r * 0.8, opacity: r === depth - 1 ? 1 : 0.55 });
        });
        p.mark(lrs[i0], j0, { colour: "orange", size: 6.5 });
      });
      course.frame({ x: { domain: [0, values.trials * rungs[depth - 1]] } });
      const stairs = (found) => [[0, ...found.spent], [null, ...found.best.map((b) => (100 * b) / state.num_validation)]];
      course.paint((p) => {
        if (before) p.line(...stairs(before), { colour: "blue", width: 1.2, opacity: 0.3 });
        p.line(...stairs(now), { colour: "blue" });
        p.mark(now.spent[now.spent.length - 1], (100 * now.best[now.best.length - 1]) / state.num_validation, { colour: "blue", size: 4.5 });
      });
      const found = all(values), chosen = STRATEGIES.indexOf(values.strategy);
      spread.paint((p) => {
        found.forEach((shares, s) => {
          p.points(shares.map(inside), shares.map((_, r) => 3 - s + 0.16 * ((r % 5) - 2)), { colour: s === chosen ? "blue" : "grey", size: 3, opacity: 0.75 });
          p.line([inside(median(shares)), inside(median(shares))], [2.6 - s, 3.4 - s], { colour: "orange", width: 3 });
        });
        p.mark(inside(found[chosen][values.repeat - 1]), 3 - chosen + 0.16 * (((values.repeat - 1) % 5) - 2), { colour: "blue" });
      });
      panel.say(fill(words.status, { strategy: words[values.strategy], repeat: values.repeat, num: now.cells.length, epochs: format(now.spent[now.spent.length - 1], "integer"),
        flops: format(now.flops, "si") + (now.flops >= 1e3 ? "" : " "), validation: format((now.score / state.num_validation), "percent"), test: format(share(now.winner) / 100, "percent"),
        rate: format(lrs[i0]), width: widths[j0], decay: format(decays[k0]), repeats, median: format(median(found[chosen]) / 100, "percent") }));
    });
  },
};
