// What the founders keep after several rounds; each sells a share of what is left.
import { formula } from "./formula.mjs";

export function compute({ seed, series_a, series_b, pool, exit_value }) {
  const kept = (1 - seed) * (1 - series_a) * (1 - series_b) * (1 - pool);
  return { kept, worth: kept * exit_value };
}

export default formula(compute);
