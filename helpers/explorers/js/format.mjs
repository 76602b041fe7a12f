// Numbers as people read them.
import { label } from "./labels.mjs";

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const SI = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const SHORT = [[1e12, "tn"], [1e9, "bn"], [1e6, "M"], [1e3, "k"]];
const WORDS = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"], [1e3, "thousand"]];  // keys of labels.mjs

const digits = (value, count) => {
  const text = Number(value.toPrecision(count)).toString();
  return text.replace("-", "−");
};
const grouped = (value) => Math.round(value).toString().replace("-", "−").replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const power = (exponent) => "10" + String(exponent).split("").map((c) => SUPERSCRIPT[c]).join("");
const scaled = (value, steps, join, count) => {
  const step = steps.find(([size]) => Math.abs(value) >= size * 0.9995);
  return step ? digits(value / step[0], count) + join + (steps === WORDS ? label(step[1]) : step[1]) : digits(value, count);
};

// kinds: number, integer, si (1.2 M), words (1.2 million), money (1.2 million USD), percent, scientific (1.2 × 10⁵)
export function format(value, kind = "number", count = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (kind === "integer") return grouped(value);
  if (kind === "percent") return digits(value * 100, count) + "\u00a0%";
  if (kind === "si") return scaled(value, SI, "\u00a0", count);
  if (kind === "words") return scaled(value, WORDS, "\u00a0", count);
  if (kind === "money") {
    if (Math.abs(value) < 1e6 && Math.abs(value) >= 1000) return grouped(Number(value.toPrecision(count))) + "\u00a0USD";
    return scaled(value, WORDS, "\u00a0", count) + "\u00a0USD";
  }
  const size = Math.abs(value);
  if (kind === "scientific" || (size !== 0 && (size < 1e-4 || size >= 1e6))) {
    if (value === 0) return "0";
    const rounded = Number(value.toPrecision(count));
    const exponent = Math.floor(Math.log10(Math.abs(rounded)) + 1e-12);
    const mantissa = digits(rounded / 10 ** exponent, count);
    return mantissa === "1" ? power(exponent) : `${mantissa} × ${power(exponent)}`;
  }
  return size >= 1000 ? grouped(value) : digits(value, count);
}

// Short text for a tick on an axis.
export function tick(value, kind = "number") {
  if (kind === "money" || kind === "words") return scaled(value, SHORT, "\u00a0", 3);
  if (kind !== "number") return format(value, kind);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const exponent = Math.round(Math.log10(size));
    if (value > 0 && Math.abs(size / 10 ** exponent - 1) < 1e-9) return power(exponent);
  }
  return format(value, kind);
}

export function linearTicks([low, high], count = 5) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / count;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = base * [1, 2, 5, 10].find((m) => m * base >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + span * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

export function logTicks([low, high], count = 6) {
  const first = Math.floor(Math.log10(low) + 1e-9), last = Math.ceil(Math.log10(high) - 1e-9);
  const decades = Math.log10(high / low);
  const every = Math.max(1, Math.ceil((Math.floor(decades) + 1) / (count + 1)));
  const within = decades < 1 ? [1, 2, 3, 5] : decades < 2 && count > 3 ? [1, 3] : [1];
  const ticks = [];
  for (let e = first; e <= last; e++) {
    if (e % every) continue;
    for (const m of within) {
      const value = Number((m * 10 ** e).toPrecision(12));
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  }
  return ticks;
}
