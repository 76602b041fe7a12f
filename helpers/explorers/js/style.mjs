// Colours and typography of all explorers: one stylesheet, light and dark, from the palette of the book.
import palette from "./palette.json";

const variables = (theme) => Object.entries(palette[theme]).map(([name, hex]) => `--ce-${name}:${hex};`).join("");

const CSS = `
.ce { ${variables("light")} color-scheme: light; color: var(--ce-ink); background: var(--ce-paper); border: 1px solid var(--ce-grid);
  border-radius: 8px; padding: 14px 16px 10px; margin: 1rem 0; font-size: 14px; line-height: 1.45; box-sizing: border-box;
  max-width: 100%; min-width: 0; text-align: left; }
html[data-theme="dark"] .ce, body[data-jp-theme-light="false"] .ce { ${variables("dark")} color-scheme: dark; }
.ce *, .ce *::before { box-sizing: border-box; }
.ce-title { font-weight: 600; font-size: 15px; margin: 0 0 2px; color: var(--ce-ink); }
.ce-hint { margin: 0 0 10px; color: var(--ce-muted); }
.ce-controls { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 180px), 1fr)); gap: 6px 24px; margin: 6px 0 12px; align-items: start; }
.ce-head { display: flex; justify-content: space-between; gap: 8px; align-items: baseline; }
.ce-head label, .ce-check label { color: var(--ce-ink); font-size: 14px; margin: 0; font-weight: 400; }
.ce-control { min-width: 0; }
.ce-head label { min-width: 0; line-height: 1.25; }
.ce-head output { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; color: var(--ce-blue); padding: 0; }
.ce-track { position: relative; height: 26px; display: flex; align-items: center; }
.ce-control.ce-marked { padding-bottom: 15px; }
.ce input[type=range] { -webkit-appearance: none; appearance: none; width: 100%; height: 26px; margin: 0; background: transparent; cursor: pointer; position: relative; z-index: 1; }
.ce input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: linear-gradient(var(--ce-blue), var(--ce-blue)) 0 / var(--fill, 50%) 100% no-repeat, var(--ce-grid); }
.ce input[type=range]::-moz-range-track { height: 4px; border-radius: 2px; background: var(--ce-grid); }
.ce input[type=range]::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--ce-blue); }
.ce input[type=range]::-webkit-slider-thumb { -webkit-appearance: none; width: 18px; height: 18px; margin-top: -7px; border-radius: 50%; background: var(--ce-blue); border: 3px solid var(--ce-paper); box-shadow: 0 0 0 1px var(--ce-blue); }
.ce input[type=range]::-moz-range-thumb { width: 12px; height: 12px; border-radius: 50%; background: var(--ce-blue); border: 3px solid var(--ce-paper); box-shadow: 0 0 0 1px var(--ce-blue); }
.ce input:disabled { opacity: 0.35; cursor: not-allowed; filter: grayscale(1); }
.ce :focus-visible { outline: 2px solid var(--ce-blue); outline-offset: 2px; border-radius: 4px; }
.ce-tick { position: absolute; top: 5px; width: 2px; height: 16px; background: var(--ce-red); transform: translateX(-1px); pointer-events: none; }
.ce-tick span { position: absolute; top: 17px; left: 0; transform: translateX(var(--shift, -50%)); white-space: nowrap; font-size: 11.5px; line-height: 1.2; color: var(--ce-red); }
.ce-row { display: flex; gap: 8px; align-items: center; }
.ce-row .ce-track { flex: 1; min-width: 0; }
.ce button { font: inherit; font-size: 13px; line-height: 1.2; color: var(--ce-ink); background: var(--ce-panel); border: 1px solid var(--ce-grid); border-radius: 5px; padding: 5px 10px; min-height: 28px; cursor: pointer; white-space: nowrap; }
.ce button:hover { border-color: var(--ce-muted); }
.ce select { font: inherit; color: var(--ce-ink); background: var(--ce-panel); border: 1px solid var(--ce-grid); border-radius: 5px; padding: 4px 6px; min-height: 30px; max-width: 100%; width: 100%; }
.ce-check { display: flex; gap: 8px; align-items: center; min-height: 30px; }
.ce-check input { width: 16px; height: 16px; margin: 0; accent-color: var(--ce-blue); }
.ce-views { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px 20px; align-items: start; }
.ce-narrow .ce-views { grid-template-columns: minmax(0, 1fr); }
.ce figure.ce-view, .ce .ce-tiles figure { min-width: 0; margin: 0; padding: 0; border: 0; width: auto; max-width: none; text-align: left; }
.ce-wide { grid-column: 1 / -1; }
.ce-stack { display: grid; gap: 12px; min-width: 0; }
.ce .ce-caption { padding: 0; font-size: 13.5px; font-weight: 600; color: var(--ce-ink); display: flex; flex-wrap: wrap; gap: 0 12px; margin: 0 0 2px; text-align: left; line-height: 1.5; }
.ce .ce-keys { font-size: 13.5px; display: flex; flex-wrap: wrap; gap: 0 14px; margin: 0; padding: 0; line-height: 1.5; }
.ce-key { font-weight: 400; color: var(--ce-muted); white-space: nowrap; }
.ce-key i { display: inline-block; width: 14px; height: 0; border-top: 3px solid; margin-right: 5px; vertical-align: middle; }
.ce-key i.dot { width: 8px; height: 8px; border: 0; border-radius: 50%; background: currentColor; }
.ce-key i.dashed { border-top-style: dashed; border-top-width: 2px; }
.ce svg { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; background: none; }
.ce svg text { font-family: inherit; font-size: 12px; fill: var(--ce-muted); stroke: none; }
.ce svg text.strong { fill: var(--ce-ink); font-weight: 600; }
.ce svg text.halo { paint-order: stroke; stroke: var(--ce-paper); stroke-width: 3px; stroke-linejoin: round; }
.ce svg .axis { stroke: var(--ce-muted); stroke-width: 1; fill: none; opacity: .7; }
.ce svg .grid { stroke: var(--ce-grid); stroke-width: 1; opacity: .7; }
.ce svg .grab { cursor: grab; }
.ce svg .grab:active { cursor: grabbing; }
.ce svg g[role=slider]:focus { outline: none; }
.ce svg g[role=slider]:focus-visible circle:last-child { stroke-width: 4; }
.ce canvas { display: block; width: 100%; height: auto; image-rendering: pixelated; border-radius: 3px; }
.ce-tiles { display: grid; gap: 8px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
.ce-narrow .ce-tiles { grid-template-columns: repeat(5, minmax(0, 1fr)); }
.ce-narrow .ce-source { flex-basis: 100%; }
.ce .ce-tiles figcaption { font-size: 12px; font-weight: 400; color: var(--ce-muted); text-align: center; margin: 1px 0 0; padding: 0; line-height: 1.3; }
.ce-status { margin: 12px 0 4px; padding: 7px 10px; background: var(--ce-panel); border-radius: 5px; color: var(--ce-ink); font-variant-numeric: tabular-nums; min-height: 34px; }
.ce-sentence { font-size: 17px; line-height: 1.9; margin: 4px 0 12px; color: var(--ce-ink); }
.ce-sentence .in { color: var(--ce-blue); font-weight: 600; border-bottom: 2px dotted var(--ce-blue); cursor: ew-resize; touch-action: none; white-space: nowrap; user-select: none; }
.ce-sentence .out { font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.ce-foot { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin-top: 8px; }
.ce-source { color: var(--ce-muted); font-size: 12.5px; flex: 1 1 220px; margin: 0; }
.ce details { margin: 4px 0 0; background: none; border: 0; box-shadow: none; padding: 0; }
.ce summary { cursor: pointer; color: var(--ce-muted); font-size: 13px; display: list-item; list-style: disclosure-closed inside; }
.ce details[open] > summary { list-style-type: disclosure-open; }
.ce-scroll { overflow: auto; max-height: 260px; margin-top: 6px; }
.ce table { border-collapse: collapse; font-size: 13px; margin: 0; width: auto; background: none; color: var(--ce-ink); font-variant-numeric: tabular-nums; }
.ce th, .ce td { padding: 2px 14px 2px 0; text-align: right; border: 0; border-bottom: 1px solid var(--ce-grid); background: none; color: var(--ce-ink); white-space: nowrap; }
.ce th { font-weight: 600; }
.ce th:first-child, .ce td:first-child { text-align: left; }
@media (max-width: 480px) { .ce { padding: 12px 12px 8px; } .ce-sentence { font-size: 16px; } }
.ce-text { max-height: 460px; }
.ce .ce-text td, .ce .ce-text th { text-align: left; white-space: normal; vertical-align: top; }
.ce:not(.ce-narrow) .ce-text td:first-child { white-space: nowrap; }
.ce-narrow .ce-text thead { display: none; }
.ce-narrow .ce-text tr { display: block; padding: 4px 0; border-bottom: 1px solid var(--ce-grid); }
.ce-narrow .ce-text td { display: block; border: 0; padding: 0; }
`;

export function ensureStyle(node) {
  const home = node.getRootNode();
  const place = home instanceof ShadowRoot ? home : document.head;
  if (place.querySelector("style[data-course-explorers]")) return;
  const style = document.createElement("style");
  style.dataset.courseExplorers = "";
  style.textContent = CSS;
  place.append(style);
}

export const isDark = () =>
  document.documentElement.dataset.theme === "dark" || document.body.dataset.jpThemeLight === "false";

// The colours of the theme now in use, for what is painted pixel by pixel.
export const colours = () => palette[isDark() ? "dark" : "light"];

// Calls back when the reader changes the theme; returns a function that stops listening.
export function onTheme(callback) {
  const observer = new MutationObserver(callback);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  return () => observer.disconnect();
}
