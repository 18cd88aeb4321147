// Colours for canvases. Load: cividis (Nuñez, Anderton, Renslow 2018), the same to eyes that
// cannot tell red from green. States: the page's own tokens.
const STOPS = [
  [0, 32, 77], [11, 50, 107], [55, 71, 108], [87, 92, 109], [112, 113, 115],
  [138, 135, 121], [165, 158, 117], [195, 183, 106], [226, 209, 84], [255, 234, 70],
];
const RAMP = Array.from({ length: 256 }, (_, byte) => {
  const place = (byte / 255) * (STOPS.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, STOPS.length - 1), share = place - low;
  return STOPS[low].map((from, i) => Math.round(from + (STOPS[high][i] - from) * share));
});
const CSS = RAMP.map(([r, g, b]) => `rgb(${r} ${g} ${b})`);

// order of devices/states.py, as in devices/live/frames.py; 0 is an empty place
export const STATES = ["", "requested", "spawning", "booting", "online", "offline", "rebooting",
  "updating", "stopping", "gone", "failed"];

export const heat = (byte) => CSS[byte];
export const inkOn = (byte) => (byte > 130 ? "#0b1013" : "#f4f7f6");

let cached = null;

export function tokens() {
  if (cached) return cached;
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  cached = {
    rule: token("--rule"), muted: token("--muted"), raise: token("--raise"), ink: token("--ink"),
    paper: token("--paper"),
    states: STATES.map((state) => (state ? token(`--state-${state}`) : token("--rule"))),
    font: token("--font"),
  };
  return cached;
}

export function onTheme(redraw) {
  const fresh = () => { cached = null; redraw(); };
  new MutationObserver(fresh).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", fresh);
}
