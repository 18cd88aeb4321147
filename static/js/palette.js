// Colours for canvases. Load: viridis (van der Walt and Smith 2015), even in lightness and the
// same to eyes that cannot tell red from green. States: the page's own tokens.
const STOPS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142],
  [33, 145, 140], [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
const RAMP = Array.from({ length: 256 }, (_, byte) => {
  const place = (byte / 255) * (STOPS.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, STOPS.length - 1), share = place - low;
  return STOPS[low].map((from, i) => Math.round(from + (STOPS[high][i] - from) * share));
});
const CSS = RAMP.map(([r, g, b]) => `rgb(${r} ${g} ${b})`);

// order of devices/states.py, as in devices/live/frames.py; 0 is an empty place
export const STATES = ["", "requested", "spawning", "booting", "online", "offline", "rebooting",
  "updating", "powering_off", "off", "stopping", "gone", "failed"];

export const heat = (byte) => CSS[byte];
export const inkOn = (byte) => (byte > 140 ? "#0b1013" : "#f4f7f6");

let cached = null;

export function tokens() {
  if (cached) return cached;
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  cached = {
    rule: token("--rule"), muted: token("--muted"), raise: token("--raise"), press: token("--press"), ink: token("--ink"),
    paper: token("--paper"), hot: token("--hot"), flash: token("--flash"), ember: token("--ember"),
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
