// The formulas of helpers/economics that explorers compute in the page: plain scalar functions, line by line as in Python.

// Decoder without gates and biases, tied output, root-mean-square norms, d_ff = 4 d_model: helpers.economics.count_transformer.
export function countDecoder({ depth, width, context, vocabulary, experts, top_k, share }) {
  const heads = Math.max(1, Math.floor(width / 64));
  const kv = Math.max(1, Math.floor(heads / share)) * (width / heads);
  const attention = 2 * width * width + 2 * width * kv;
  const expert = 8 * width * width, router = experts > 1 ? width * experts : 0, visited = experts > 1 ? top_k : 1;
  const rest = vocabulary * width + width + depth * (attention + router + 2 * width);
  return {
    parameters: rest + depth * experts * expert,
    active_parameters: rest + depth * visited * expert,
    flops_per_token: depth * (2 * (attention + router + visited * expert) + 4 * context * width) + 2 * vocabulary * width,
    kv_bytes_per_token: 2 * 2 * depth * kv,
  };
}

export const trainingFlops = (parameters, tokens) => 6 * parameters * tokens;
export const deviceHours = (flops, peak, utilisation) => flops / (peak * utilisation) / 3600;
export const energyKwh = (hours, watts, pue) => (hours * watts * pue) / 1000;
export const minDevices = (bytes, memory, share) => Math.max(1, Math.ceil(bytes / (memory * share)));
export const prefillRate = (active, peak, utilisation) => (peak * utilisation) / (2 * active);
export const pricePerMillion = (perHour, tokensPerSecond, load) => (perHour / (tokensPerSecond * load * 3600)) * 1e6;

export function decodeStep({ batch, active, parameters, bytes_per_parameter, kv_bytes_per_token, context, peak, bandwidth, utilisation }) {
  const read = Math.min(parameters, active * batch) * bytes_per_parameter + batch * kv_bytes_per_token * context;
  return Math.max(read / bandwidth, (2 * active * batch) / peak) / utilisation;
}

// Cash at the end of each month for every path; draws: rows of three standard normal numbers.
export function cashPaths({ draws, cash, monthly_revenue, fixed_costs, growth, churn, margin, cost_growth, growth_spread, churn_spread, cost_spread, months }) {
  return draws.map(([z1, z2, z3]) => {
    const lost = Math.min(1, churn * Math.exp(churn_spread * z2));
    const factor = Math.max(0, 1 + growth + growth_spread * z1 - lost);
    let money = cash, revenue = monthly_revenue, costs = fixed_costs * Math.exp(cost_spread * z3);
    const path = [money];
    for (let month = 0; month < months; month++) {
      money += margin * revenue - costs;
      revenue *= factor;
      costs *= 1 + cost_growth;
      path.push(money);
    }
    return path;
  });
}

// Quantile of sorted numbers with linear interpolation, as NumPy does it.
export function quantile(sorted, level) {
  const place = level * (sorted.length - 1), low = Math.floor(place), high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

export function ruinByMonth(paths) {
  const months = paths[0].length, lost = new Array(months).fill(0);
  for (const path of paths) {
    const first = path.findIndex((v) => v < 0);
    if (first >= 0) for (let m = first; m < months; m++) lost[m] += 1;
  }
  return lost.map((n) => n / paths.length);
}

// Days in the unit that fits; words holds seconds, minutes, hours, days.
export function duration(days, words, format) {
  if (days < 0.0014) return `${format(days * 86400)} ${words.seconds}`;
  if (days < 0.08) return `${format(days * 1440)} ${words.minutes}`;
  return days < 2 ? `${format(days * 24)} ${words.hours}` : `${format(days)} ${words.days}`;
}
