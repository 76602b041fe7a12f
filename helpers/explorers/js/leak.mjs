// Replay of practice under two rewards: true and proxy reward over the rounds, and over the distance from the start.
import { Panel, fill, format } from "./core.mjs";

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel;
    const { words, rewards, betas, rounds, passed, parsed, divergence, answers } = state, last = rounds.length - 1;
    panel.select({ name: "reward", label: words.reward, choices: rewards.map((name, k) => [String(k), name]), value: "0" });
    panel.slider({ name: "beta", label: words.beta, values: betas, value: betas[0], show: String });
    panel.slider({ name: "round", label: words.round, values: rounds, value: rounds[last], kind: "integer", play: true });
    const y = { domain: [0, 1.04], label: words.share, format: "percent" };
    const keys = [{ label: words.parsed, colour: "orange" }, { label: words.passed, colour: "blue" }];
    const furthest = Math.max(1, ...divergence.flat(2)) * 1.05;
    const left = panel.plot({ label: words.curves, keys, x: { domain: [0, rounds[last]], label: words.round }, y, height: 270 });
    const right = panel.plot({ label: words.far, keys, x: { domain: [0, furthest], label: words.divergence }, y, height: 270 });
    const at = ({ reward, beta, round }) => [Number(reward), betas.indexOf(beta), rounds.indexOf(round)];
    panel.table(() => {
      const [r, b] = at(panel.values);
      return { head: [words.round, words.passed, words.parsed, words.divergence, words.example],
        rows: rounds.map((n, k) => [n, format(passed[r][b][k], "percent"), format(parsed[r][b][k], "percent"), divergence[r][b][k].toFixed(2), answers[r][b][k]]) };
    });
    return panel.start((values, ghost) => {
      const [r, b, k] = at(values), before = ghost && at(ghost);
      const seen = rounds.slice(0, k + 1), cut = (curve) => curve.slice(0, k + 1);
      left.paint((p) => {
        if (before && (before[0] !== r || before[1] !== b)) {
          p.line(rounds, parsed[before[0]][before[1]], { colour: "orange", width: 1.2, opacity: 0.25 });
          p.line(rounds, passed[before[0]][before[1]], { colour: "blue", width: 1.2, opacity: 0.25 });
        }
        p.rule({ x: values.round, width: 1 });
        p.line(seen, cut(parsed[r][b]), { colour: "orange", width: 2.2 });
        p.line(seen, cut(passed[r][b]), { colour: "blue", width: 2.2 });
        p.mark(rounds[k], passed[r][b][k], { colour: "blue", size: 4.5 });
      });
      right.paint((p) => {
        betas.forEach((_, j) => {                                // the other weights of the same reward, faint
          if (j !== b) p.line(divergence[r][j], passed[r][j], { colour: "blue", width: 1, opacity: 0.25 });
        });
        p.line(cut(divergence[r][b]), cut(parsed[r][b]), { colour: "orange", width: 2.2 });
        p.line(cut(divergence[r][b]), cut(passed[r][b]), { colour: "blue", width: 2.2 });
        p.mark(divergence[r][b][k], passed[r][b][k], { colour: "blue", size: 4.5 });
      });
      panel.say(fill(words.status, { reward: rewards[r], beta: String(betas[b]), round: rounds[k], passed: format(passed[r][b][k], "percent"), parsed: format(parsed[r][b][k], "percent"), divergence: divergence[r][b][k].toFixed(2), answer: answers[r][b][k] }));
    });
  },
};
