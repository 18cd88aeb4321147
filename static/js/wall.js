// Every device as a cell in its own place. Pixels are copied from sprites into one image, and only
// the bands of cells that changed are put on the screen.
import { on, tell } from "./bus.js";
import { onTheme, STATES } from "./palette.js";
import { occupied, wall } from "./places.js";
import { sprites, STEPS } from "./sprites.js";

// the layout holds this many, so that it does not change with every device
const CAPACITIES = [60, 100, 150, 250, 400, 600, 1000, 1500, 2500, 4000, 6000, 10_000, 15_000, 25_000];
const MOST_PIXELS = 6_000_000;
const FADE_MS = 900, FRAME_MS = 33;
const ONLINE = STATES.indexOf("online");
const STARTING = ["requested", "spawning", "booting"].map((state) => STATES.indexOf(state));
const still = matchMedia("(prefers-reduced-motion: reduce)");

const canvas = document.getElementById("wall");
// where cells are, in CSS pixels, for the pointer
export const layout = { capacity: 0, columns: 1, rows: 1, left: [], top: [], w: 1, h: 1, scale: 1 };
const fades = new Map(); // slot -> when it began
let pen, image, pixels, look, x = [], y = [], cellW = 1, cellH = 1;
let bands = new Uint8Array(0), asked = 0, lastFade = 0;

function capacity() {
  const needed = occupied();
  const fitting = CAPACITIES.find((size) => size >= needed) || Math.ceil(needed / 5000) * 5000;
  // a shrinking fleet keeps its places until most are empty
  return layout.capacity > fitting && needed > layout.capacity * 0.4 ? layout.capacity : fitting;
}

// Whole pixels from one cell to the next, so that all gaps are alike: of the steps that fit, the one
// whose cells are largest without being far from square.
function steps(count, across, down) {
  const size = Math.sqrt((across * down) / count);
  let best = null;
  for (let a = Math.max(1, Math.floor(size * 0.6)); a <= Math.ceil(size * 1.3); a += 1) {
    const columns = Math.floor(across / a), rows = columns && Math.ceil(count / columns);
    const b = rows && Math.min(Math.floor(down / rows), Math.ceil(a * (a < 8 ? 1.5 : 1.25)));
    if (!b || b < a * 0.75) continue;
    if (!best || a * b > best.a * best.b) best = { a, b, columns, rows };
  }
  return best || { a: 1, b: 1, columns: across, rows: Math.ceil(count / across) };
}

function arrange() {
  const box = canvas.parentElement;
  const width = box.clientWidth, height = box.clientHeight;
  if (!width || !height) return false;
  const scale = Math.min(window.devicePixelRatio || 1, Math.sqrt(MOST_PIXELS / (width * height)));
  const across = Math.floor(width * scale), down = Math.floor(height * scale);
  const count = capacity();
  const { a, b, columns, rows } = steps(count, across, down);
  const gap = a < 3 ? 0 : Math.max(1, Math.min(Math.round(a * 0.12), Math.round(6 * scale)));
  cellW = a - gap;
  cellH = Math.max(1, b - gap);
  x = Int32Array.from({ length: columns }, (_, i) => i * a);
  y = Int32Array.from({ length: rows }, (_, i) => i * b);
  canvas.width = across;
  canvas.height = down;
  pen = canvas.getContext("2d", { alpha: false });
  image = pen.createImageData(across, down);
  pixels = new Uint32Array(image.data.buffer);
  look = sprites(cellW, cellH);
  bands = new Uint8Array(rows);
  Object.assign(layout, {
    capacity: count, columns, rows, scale, w: cellW / scale, h: cellH / scale,
    left: Array.from(x, (v) => v / scale), top: Array.from(y, (v) => v / scale),
  });
  return true;
}

function cell(slot, sprite) {
  const row = Math.floor(slot / layout.columns);
  if (row >= layout.rows) return;
  const width = image.width;
  let to = y[row] * width + x[slot - row * layout.columns], from = 0;
  for (let line = 0; line < cellH; line += 1, to += width) {
    for (let i = 0; i < cellW; i += 1) pixels[to + i] = sprite[from + i];
    from += cellW;
  }
  bands[row] = 1;
}

const plain = (slot) => cell(slot, look.of(wall.states[slot] || 0, wall.levels[slot] || 0));

function show() {
  for (let row = 0; row < layout.rows; row += 1) {
    if (!bands[row]) continue;
    let last = row;
    while (bands[last + 1]) last += 1;
    bands.fill(0, row, last + 1);
    pen.putImageData(image, 0, 0, 0, y[row], image.width, y[last] + cellH - y[row]);
    row = last;
  }
}

function everything() {
  asked = 0;
  if (!arrange()) return;
  pixels.fill(look.paper);
  for (let slot = 0; slot < layout.capacity; slot += 1) plain(slot);
  pen.putImageData(image, 0, 0);
  bands.fill(0);
  tell("arranged");
}

function fade(now) {
  asked = 0;
  if (now - lastFade >= FRAME_MS) {
    lastFade = now;
    for (const [slot, began] of fades) {
      const step = Math.floor(((now - began) / FADE_MS) * STEPS);
      if (step >= STEPS) { fades.delete(slot); plain(slot); continue; }
      cell(slot, look.fading(wall.states[slot] || 0, wall.levels[slot] || 0, Math.max(0, step)));
    }
    show();
  }
  if (fades.size) ask(fade);
}

function ask(what) {
  if (!asked) asked = requestAnimationFrame(what);
}

function askAll() {
  cancelAnimationFrame(asked);
  asked = requestAnimationFrame(everything);
}

// A birth and a death are seen as they happen; whatever else changes, changes.
function tellingMove(before, after) {
  return after !== before && (!after || (after === ONLINE && STARTING.includes(before)));
}

function take(changed) {
  if (!changed || occupied() > layout.capacity || capacity() !== layout.capacity) { askAll(); return; }
  const now = performance.now();
  for (const { slot, before } of changed) {
    if (!still.matches && tellingMove(before, wall.states[slot])) fades.set(slot, now);
    else if (!fades.has(slot)) plain(slot);
  }
  ask(fade);
}

if (canvas) {
  new ResizeObserver(askAll).observe(canvas.parentElement);
  onTheme(askAll);
  on("places", take);
}
