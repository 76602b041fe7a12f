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
  training: "training",
  validation: "validation",
  data: "data",
  fit: "fitted line",
  low: "low",
  weights: "Weights",
  learningRate: "learning rate",
  epoch: "epoch",
  loss: "loss",
  lossLog: "loss (log scale)",
  accuracy: "accuracy",
  measure: "shown",
  diverged: "diverged",
  offScale: "above the frame",
  live: "live run",
  step: "step",
  start: "start",
  threshold: "threshold",
  cost: "cost",
  precision: "precision",
  recall: "recall",
  edge: "2 / curvature",
  lossOver: "loss over {names}",
  taken: "After {steps} steps: {place}, loss {loss}. Learning rate {lr} = {share} × edge{verdict}.",
  away: ": each step lands farther away",
  shareOfClass: "share of the class",
  perCase: "cost per case",
  matrix: "Confusion matrix",
  called: "called {name}",
  is: "is {name}",
  precisionRecall: "precision against recall",
  cheapest: "cheapest",
  decided: "threshold {threshold}: precision {precision}, recall {recall}, cost {cost} {unit} per case; cheapest at {best} with {least}.",
  trillion: "trillion",
  billion: "billion",
  million: "million",
  thousand: "thousand",
};

// label("called", { name: "cat" }) puts the values into the places that the words name.
export function label(key, values = null) {
  return values ? fill(LABELS[key], values) : LABELS[key];
}

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// An edition passes its own words in the state: { labels: { reset: "…" } }.
export function translate(words) {
  Object.assign(LABELS, words ?? {});
}
