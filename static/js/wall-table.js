// The wall for those who read it as a table: how many in each state, which places, how busy.
import { on } from "./bus.js";
import { STATES } from "./palette.js";
import { shareOf, wall } from "./places.js";

const EVERY_MS = 1000, MOST_RANGES = 6;
const body = document.getElementById("wall-table");
const details = body?.closest("details");
let timer = 0;

function gather() {
  const found = new Map();
  for (let slot = 0; slot < wall.states.length; slot += 1) {
    const state = wall.states[slot];
    if (!state) continue;
    let entry = found.get(state);
    if (!entry) found.set(state, entry = { count: 0, load: 0, ranges: [] });
    entry.count += 1;
    entry.load += shareOf(wall.levels[slot]);
    const last = entry.ranges.at(-1);
    if (last && last[1] === slot - 1) last[1] = slot;
    else entry.ranges.push([slot, slot]);
  }
  return [...found].sort(([a], [b]) => a - b);
}

function ranges(list) {
  const words = list.slice(0, MOST_RANGES).map(([from, to]) => (from === to ? from : `${from}–${to}`));
  return words.join(", ") + (list.length > MOST_RANGES ? ` and ${list.length - MOST_RANGES} more` : "");
}

function fill() {
  body.replaceChildren(...gather().map(([state, { count, load, ranges: where }]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = STATES[state];
    row.append(head);
    for (const text of [count.toLocaleString("en"), `${(100 * load / count).toFixed(1)} %`, ranges(where)]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
}

if (details) {
  details.addEventListener("toggle", () => { if (details.open) fill(); });
  on("places", () => {
    if (!details.open || timer) return;
    timer = setTimeout(() => { timer = 0; fill(); }, EVERY_MS);
  });
}
