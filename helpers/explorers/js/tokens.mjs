// A typed text becomes tokens: pieces, then byte-pair merges in their order; counted and priced in the page.
import { Panel, element, fill, format } from "./core.mjs";

// Unicode's white space, written out, since the \s of JavaScript is another set.
const SPACE = "\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PIECES = new RegExp(` ?[\\p{L}\\p{M}]+| ?\\p{N}| ?[^${SPACE}\\p{L}\\p{M}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`, "gu");
const HUES = ["blue", "orange", "green", "purple"];

const tables = new WeakMap();
function table(pairs) {
  if (!tables.has(pairs)) {
    const ranks = new Map();
    for (let k = 0; k < pairs.length / 2; k++) ranks.set(pairs[2 * k] * 65536 + pairs[2 * k + 1], k);
    tables.set(pairs, ranks);
  }
  return tables.get(pairs);
}

export function compute({ text, numbers, pairs, num_merges, usd_per_million }) {
  const ranks = table(pairs), all = pairs.length / 2, tokens = [], curve = new Array(all + 1).fill(0), encoder = new TextEncoder();
  let bytes = 0;
  for (const [piece] of text.matchAll(PIECES)) {
    const symbols = Array.from(encoder.encode(piece), (byte) => numbers[byte]);
    bytes += symbols.length;
    for (let shown = false; ;) {
      let rank = all, place = 0;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const found = ranks.get(symbols[i] * 65536 + symbols[i + 1]);
        if (found !== undefined && found < rank) { rank = found; place = i; }
      }
      if (!shown && rank >= num_merges) { for (const symbol of symbols) tokens.push(symbol); shown = true; }
      if (rank === all) break;
      symbols.splice(place, 2, 257 + rank);
      curve[rank + 1]--;
    }
  }
  curve[0] = bytes;
  for (let k = 1; k <= all; k++) curve[k] += curve[k - 1];
  return { tokens, curve, bytes, characters: Array.from(text).length, bytes_per_token: tokens.length ? bytes / tokens.length : 0, usd: tokens.length * usd_per_million };
}

// The bytes of every token number.
function spellings(numbers, pairs) {
  const bytes = [[]];
  numbers.forEach((number, byte) => { bytes[number] = [byte]; });
  for (let k = 0; k < pairs.length / 2; k++) bytes[257 + k] = [...bytes[pairs[2 * k]], ...bytes[pairs[2 * k + 1]]];
  return bytes;
}

const hex = (bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

// What a reader sees of a token: signs for white space, hexadecimal bytes where it is a part of a character.
function visible(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    const seen = text.replace(/ /g, "·").replace(/\n/g, "↵").replace(/\t/g, "⇥");
    return { text: seen.trim() === "" || /^[\p{C}\p{M}]/u.test(seen) ? hex(bytes) : seen, part: false };
  } catch {
    return { text: hex(bytes), part: true };
  }
}

export default {
  render({ model, el }) {
    const panel = new Panel({ model, el }), { state } = panel, { words } = state, all = state.pairs.length / 2;
    const spelled = spellings(state.numbers, state.pairs), names = Object.keys(state.texts);
    panel.select({ name: "sample", label: words.sample, choices: [...names.map((name) => [name, name]), ["", words.own]], value: names[0] });
    panel.slider({ name: "merges", label: words.merges, min: 0, max: all, step: 1, value: state.num_merges, kind: "integer" });
    panel.slider({ name: "price", label: words.price, min: 0.05, max: 20, scale: "log", value: state.usd_per_million,
      mark: state.price_label ? { value: state.usd_per_million, label: state.price_label } : null });

    const id = `${panel.uid}-text`, area = element("textarea", { id, rows: 3, maxlength: state.max_characters, spellcheck: "false", dir: "auto",
      style: "width:100%;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;color:var(--ce-ink);background:var(--ce-panel);border:1px solid var(--ce-grid);border-radius:5px;padding:6px 8px;resize:vertical" });
    const box = element("div", { class: "ce-control", style: "grid-column:1/-1" }, element("div", { class: "ce-head" }, element("label", { for: id, text: words.text })), area);
    panel.controlsBox.prepend(box);
    // The value is kept percent-encoded, so that a link to the setting can carry it.
    const plain = (value) => { try { return decodeURIComponent(value).slice(0, state.max_characters); } catch { return undefined; } };
    panel.register("text", encodeURIComponent(state.texts[names[0]]), { box, input: area,
      show: (value) => { const text = plain(value) ?? ""; if (area.value !== text) area.value = text; },
      read: (value) => (plain(value) === undefined ? undefined : value) });
    area.addEventListener("input", () => { panel.begin(); panel.set("text", encodeURIComponent(area.value.toWellFormed?.() ?? area.value)); });
    let chosen = names[0];

    const boxes = element("div", { dir: "ltr", style: "display:flex;flex-wrap:wrap;gap:3px;max-height:250px;overflow:auto;font:13px/1.35 ui-monospace,Menlo,Consolas,monospace", tabindex: 0, role: "region", "aria-label": words.tokens });
    panel.views.append(element("div", { class: "ce-wide" }, element("p", { class: "ce-caption", text: words.tokens }), boxes));
    let plot = null, top = 0;
    const place = element("div", { class: "ce-wide" });
    panel.views.append(place);
    let last = null;
    panel.table(() => ({ head: words.columns, rows: (last?.tokens ?? []).map((number, k) => [k + 1, number, visible(spelled[number]).text, hex(spelled[number])].map(String)) }));

    return panel.start((values) => {
      const text = plain(values.text) ?? "";
      // A sample that was chosen fills the field; a field that was changed belongs to no sample.
      if (values.sample !== chosen) {
        chosen = values.sample;
        if (chosen && text !== state.texts[chosen]) { panel.set("text", encodeURIComponent(state.texts[chosen])); return; }
      } else if (chosen && text !== state.texts[chosen]) {
        chosen = names.find((name) => state.texts[name] === text) ?? "";
        panel.set("sample", chosen);
      }
      last = compute({ text, numbers: state.numbers, pairs: state.pairs, num_merges: values.merges, usd_per_million: values.price });
      boxes.replaceChildren(...last.tokens.map((number, k) => {
        const { text: seen, part } = visible(spelled[number]);
        return element("bdi", { text: seen, title: `${number}: ${hex(spelled[number])}`,
          style: `padding:1px 4px;border-radius:4px;background:var(--ce-panel);color:var(--ce-${part ? "muted" : "ink"});border-bottom:3px solid var(--ce-${HUES[k % HUES.length]});white-space:pre-wrap;overflow-wrap:anywhere` });
      }));
      const height = Math.max(4, last.bytes);
      if (!plot || height !== top) {
        place.replaceChildren();
        plot = panel.plot({ label: words.curve, x: { domain: [0, all], label: words.merges }, y: { domain: [0, height * 1.05], label: words.axis }, height: 210 }, place);
        top = height;
      }
      plot.paint((p) => {
        p.line(last.curve.map((_, k) => k), last.curve, { colour: "blue" });
        p.rule({ x: values.merges, dash: "none", width: 1 });
        p.mark(values.merges, last.tokens.length, { colour: "blue" });
      });
      panel.say(last.bytes ? fill(words.status, { characters: format(last.characters, "integer"), bytes: format(last.bytes, "integer"),
        tokens: format(last.tokens.length, "integer"), ratio: format(last.bytes_per_token), usd: format(last.usd, "money") }) : words.empty);
    });
  },
};
