// A sentence about a training run whose numbers can be dragged: 6 × parameters × tokens, paid by the device-hour.
import { formula } from "./formula.mjs";

// Equal to TrainingCost.compute in Python.
export function compute({ parameters, tokens, devices, utilisation, flops_per_second, price_per_hour }) {
  const flops = 6 * parameters * tokens, hours = flops / (devices * flops_per_second * utilisation) / 3600;
  return { flops, days: hours / 24, cost: hours * devices * price_per_hour };
}

export default formula(compute);
