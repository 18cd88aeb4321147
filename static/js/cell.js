// The cell under the pointer or the arrow keys: what it is, and a way into it.
import { on } from "./bus.js";
import { STATES } from "./palette.js";
import { occupied, shareOf, wall } from "./places.js";
import { layout } from "./wall.js";

const SERIAL_AFTER_MS = 150;
const box = document.getElementById("wall-box");
const frame = document.getElementById("wall-cursor");
const tip = document.getElementById("wall-tip");
const spoken = document.getElementById("wall-spoken");
const opens = box?.dataset.opens; // where a place leads, on pages from which one may go there
let slot = -1, byKeys = false, timer = 0;
const serials = new Map();

function words(at) {
  const state = STATES[wall.states[at]];
  if (!state) return `place ${at}: empty`;
  const share = 100 * shareOf(wall.levels[at]);
  const cpu = state === "online" ? `, ${share < 10 ? share.toFixed(1) : Math.round(share)} % of a core` : "";
  return `${serials.get(at) || `place ${at}`}: ${state}${cpu}`;
}

function place() {
  const shown = slot >= 0 && slot < layout.capacity;
  frame.hidden = tip.hidden = !shown;
  if (!shown) return;
  const column = slot % layout.columns, row = Math.floor(slot / layout.columns);
  const x = layout.left[column], y = layout.top[row];
  Object.assign(frame.style, {
    left: `${x}px`, top: `${y}px`, width: `${layout.w}px`, height: `${layout.h}px`,
  });
  tip.textContent = words(slot);
  const right = x + layout.w + 10 + tip.offsetWidth < box.clientWidth;
  tip.style.left = `${Math.max(0, right ? x + layout.w + 10 : x - tip.offsetWidth - 10)}px`;
  tip.style.top = `${Math.max(0, Math.min(y, box.clientHeight - tip.offsetHeight))}px`;
}

function point(at, keys) {
  if (at === slot && keys === byKeys) return;
  slot = at;
  byKeys = keys;
  place();
  clearTimeout(timer);
  if (at < 0) return;
  if (opens) timer = setTimeout(() => name(at), SERIAL_AFTER_MS);
  if (keys) spoken.textContent = words(at);
}

async function name(at) {
  if (wall.states[at] && !serials.has(at)) {
    const answer = await fetch(`${opens}${at}/serial`).catch(() => null);
    if (!answer?.ok) return;
    serials.set(at, await answer.text());
  }
  if (at !== slot) return;
  place();
  if (byKeys) spoken.textContent = words(at);
}

function slotAt(event) {
  const bounds = box.getBoundingClientRect();
  const find = (edges, size, v) => {
    let i = edges.length - 1;
    while (i > 0 && edges[i] > v) i -= 1;
    return v <= edges[i] + size + 1 ? i : -1;
  };
  const column = find(layout.left, layout.w, event.clientX - bounds.left);
  const row = find(layout.top, layout.h, event.clientY - bounds.top);
  const at = column < 0 || row < 0 ? -1 : row * layout.columns + column;
  return wall.states[at] ? at : -1;
}

const STEP = {
  ArrowLeft: () => -1, ArrowRight: () => 1,
  ArrowUp: () => -layout.columns, ArrowDown: () => layout.columns,
  Home: () => -slot, End: () => occupied() - 1 - slot,
  PageUp: () => -10 * layout.columns, PageDown: () => 10 * layout.columns,
};

function open(at) {
  if (opens && wall.states[at]) location.assign(`${opens}${at}`);
}

function key(event) {
  if (event.key === "Enter" && slot >= 0) open(slot);
  else if (event.key === "Escape") point(-1, true);
  else if (STEP[event.key]) {
    const last = occupied() - 1;
    const next = slot < 0 ? 0 : slot + STEP[event.key]();
    if (last >= 0) point(Math.max(0, Math.min(last, next)), true);
  } else return;
  event.preventDefault();
}

if (box) {
  box.addEventListener("pointermove", (event) => point(slotAt(event), false));
  box.addEventListener("pointerleave", () => { if (!byKeys) point(-1, false); });
  box.addEventListener("click", (event) => open(slotAt(event)));
  box.addEventListener("keydown", key);
  box.addEventListener("focus", () => { if (box.matches(":focus-visible") && slot < 0 && occupied()) point(0, true); });
  box.addEventListener("blur", () => point(-1, false));
  on("arranged", place);
  on("places", (changed) => {
    if (!changed) serials.clear();
    else for (const { slot: at, before } of changed) if (!before || !wall.states[at]) serials.delete(at);
    if (slot >= 0) place();
  });
}
