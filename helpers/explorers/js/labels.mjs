// Every word that an explorer shows by itself, in one table, so that an edition in another language replaces it whole.
// Words that belong to one chapter come from Python in the explorer's state.

const LABELS = {
  reset: "Reset",
  copy: "Copy link",
  copied: "Link copied",
  inAddressBar: "The link is in the address bar",
  table: "Numbers as a table",
  play: "Play",
  pause: "Pause",
  before: "setting before",
  training: "training",
  validation: "validation",
  data: "data",
  fit: "fitted line",
  low: "low",
  weights: "Weights",
  learningRate: "learning rate",
  epoch: "epoch",
  epochs: "epochs",
  loss: "loss",
  lossLog: "loss (log scale)",
  accuracy: "accuracy",
  measure: "shown",
  diverged: "diverged",
  offScale: "above the frame",
  live: "live run",
  step: "step",
  steps: "steps",
  start: "start",
  threshold: "threshold",
  cost: "cost",
  precision: "precision",
  recall: "recall",
};

export function label(key) {
  return LABELS[key] ?? key;
}

// An edition passes its own words in the state: { labels: { reset: "…" } }.
export function translate(words) {
  Object.assign(LABELS, words ?? {});
}
