// The last minute of every core, one row each, the newest on the right. Few cores are drawn as
// heights, many as colours alone; each sample is painted once and the picture moved.
import { on } from "./bus.js";
import { surface } from "./canvas.js";
import { FEW, rowGap } from "./cores-now.js";
import { heat, onTheme, tokens } from "./palette.js";

const COLUMNS = 240; // a minute at four a second
const TALL = 64; // pixels of a row that is drawn as heights
const KEPT = "cores-past", KEPT_MS = 60_000, STEP_MS = 250;
const canvas = document.getElementById("cores-past");
const panel = canvas?.closest(".cores");
const picture = document.createElement("canvas");
let cores = 0, head = 0, samples = new Uint8Array(0), filled = new Uint8Array(COLUMNS), brush = null;

export function summary() {
  const rows = Array.from({ length: cores }, () => ({ sum: 0, most: 0, mean: 0 }));
  let count = 0;
  for (let column = 0; column < COLUMNS; column += 1) {
    if (!filled[column]) continue;
    count += 1;
    for (let i = 0; i < cores; i += 1) {
      const byte = samples[column * cores + i];
      rows[i].sum += byte;
      rows[i].most = Math.max(rows[i].most, byte);
    }
  }
  for (const row of rows) row.mean = count ? row.sum / count : 0;
  return rows;
}

function begin(count) {
  cores = count;
  head = 0;
  samples = new Uint8Array(COLUMNS * count);
  filled = new Uint8Array(COLUMNS);
  picture.width = COLUMNS;
  picture.height = count <= FEW ? count * TALL : count;
  brush = picture.getContext("2d");
  panel.classList.toggle("few", count <= FEW);
  panel.classList.toggle("many", count > 48);
  repaint();
}

function paint(column) {
  const few = cores <= FEW, tall = few ? TALL : 1;
  brush.fillStyle = tokens().press;
  brush.fillRect(column, 0, 1, picture.height);
  if (!filled[column]) return;
  for (let i = 0; i < cores; i += 1) {
    const byte = samples[column * cores + i];
    const h = few ? Math.max(2, Math.round((byte / 255) * tall)) : 1;
    brush.fillStyle = heat(byte);
    brush.fillRect(column, (i + 1) * tall - h, 1, h);
  }
}

function repaint() {
  for (let column = 0; column < COLUMNS; column += 1) paint(column);
}

function add(busy) {
  samples.set(busy, head * cores);
  filled[head] = 1;
  paint(head);
  head = (head + 1) % COLUMNS;
}

function draw(pen, width, height) {
  pen.clearRect(0, 0, width, height);
  if (!cores) return;
  pen.imageSmoothingEnabled = false;
  const few = cores <= FEW, strips = few ? cores : 1;
  const gap = few ? rowGap(cores) : 0;
  const h = (height + gap) / strips - gap, from = picture.height / strips;
  const older = COLUMNS - head, split = (older / COLUMNS) * width;
  for (let i = 0; i < strips; i += 1) {
    const y = i * (h + gap);
    pen.drawImage(picture, head, i * from, older, from, 0, y, split, h);
    if (head) pen.drawImage(picture, 0, i * from, head, from, split, y, width - split, h);
  }
}

// A minute is not lost by looking at a device and coming back.
function keep() {
  if (!cores) return;
  let text = "";
  for (let i = 0; i < samples.length; i += 4096) text += String.fromCharCode(...samples.subarray(i, i + 4096));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ at: Date.now(), cores, head, filled: [...filled], samples: btoa(text) }));
  } catch { /* begun anew, then */ }
}

function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || "null");
    const missed = kept ? Math.round((Date.now() - kept.at) / STEP_MS) : COLUMNS;
    if (!kept || missed * STEP_MS >= KEPT_MS) return;
    begin(kept.cores);
    samples.set(Uint8Array.from(atob(kept.samples), (letter) => letter.charCodeAt(0)));
    filled.set(kept.filled);
    head = kept.head;
    for (let i = 0; i < missed; i += 1, head = (head + 1) % COLUMNS) filled[head] = 0;
    repaint();
  } catch { /* begun anew, then */ }
}

if (canvas) {
  const redraw = surface(canvas, draw);
  onTheme(() => { if (cores) repaint(); redraw(); });
  recall();
  addEventListener("pagehide", keep);
  let last = 0;
  on("cores", (busy) => {
    if (busy.length !== cores) begin(busy.length);
    const now = performance.now();
    // time that nobody watched stays empty
    const missed = last ? Math.min(COLUMNS, Math.round((now - last) / STEP_MS) - 1) : 0;
    for (let i = 0; missed >= 4 && i < missed; i += 1) {
      filled[head] = 0;
      paint(head);
      head = (head + 1) % COLUMNS;
    }
    last = now;
    add(busy);
    redraw();
  });
}
