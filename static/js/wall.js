// Every device as a cell in its own place, coloured and marked by state, brighter with its CPU.
import { on, tell } from "./bus.js";
import { grid, surface } from "./canvas.js";
import { Cells } from "./cells.js";
import { WALL_DELTA, WALL_SNAPSHOT } from "./frames.js";
import { onTheme, STATES, tokens } from "./palette.js";

const canvas = document.getElementById("wall");
const LEAST_PLACES = 60;
const ONLINE = STATES.indexOf("online");
const cells = new Cells();
let layout = { columns: 1, across: 1, down: 1 }; // of the last drawing, to find a cell by

function draw(pen, width, height) {
  const look = tokens();
  const { states, loads } = cells;
  const count = Math.max(cells.places, LEAST_PLACES);
  const { columns, rows, size } = grid(count, width, height);
  const gap = size > 26 ? 4 : size > 10 ? 2 : 1;
  const w = (width + gap) / columns - gap, h = Math.min((height + gap) / rows - gap, w * 1.25);
  layout = { columns, across: w + gap, down: h + gap };
  pen.clearRect(0, 0, width, height);
  for (let slot = 0; slot < count; slot += 1) {
    const x = (slot % columns) * (w + gap), y = Math.floor(slot / columns) * (h + gap);
    const state = states[slot] || 0;
    pen.globalAlpha = state ? (state === ONLINE ? 0.58 + (loads[slot] / 255) * 0.42 : 1) : 0.45;
    pen.fillStyle = look.states[state];
    if (!state) { pen.fillRect(x + w * 0.4, y + h * 0.4, w * 0.2, h * 0.2); continue; }
    if (state === ONLINE) pen.fillRect(x, y, w, h);
    else mark(pen, STATES[state], x, y, w, h, look);
  }
  pen.globalAlpha = 1;
}

// States differ in shape as well as in colour.
function mark(pen, state, x, y, w, h, look) {
  const line = Math.max(1, Math.min(w, h) * 0.13);
  pen.lineWidth = line;
  pen.strokeStyle = pen.fillStyle;
  const box = [x + line / 2, y + line / 2, w - line, h - line];
  if (Math.min(w, h) < 5) { pen.fillRect(x, y, w, h); return; }
  pen.strokeRect(...box);
  if (state === "booting" || state === "rebooting") pen.fillRect(x, y + h / 2, w, h / 2);
  else if (state === "spawning") pen.fillRect(x + w * 0.35, y + h * 0.35, w * 0.3, h * 0.3);
  else if (state === "updating") pen.fillRect(x, y, w, h * 0.4);
  else if (state === "failed" || state === "offline") {
    if (state === "failed") { pen.fillRect(x, y, w, h); pen.strokeStyle = look.paper; }
    pen.beginPath();
    pen.moveTo(x + w * 0.2, y + h * 0.2);
    pen.lineTo(x + w * 0.8, y + h * 0.8);
    if (state === "failed") { pen.moveTo(x + w * 0.8, y + h * 0.2); pen.lineTo(x + w * 0.2, y + h * 0.8); }
    pen.stroke();
  }
}

function slotAt(event) {
  const box = canvas.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / layout.across);
  const slot = Math.floor((event.clientY - box.top) / layout.down) * layout.columns + column;
  return column < layout.columns && cells.states[slot] ? slot : -1;
}

if (canvas) {
  canvas.addEventListener("pointermove", (event) => {
    const slot = slotAt(event);
    canvas.title = slot < 0 ? "" : `${STATES[cells.states[slot]]}, ${Math.round(cells.loads[slot] / 2.55)} % of a core`;
  });
  canvas.addEventListener("click", (event) => {
    const slot = slotAt(event);
    if (slot < 0) return; // the link around it leads to the list
    event.preventDefault();
    location.assign(`/devices/at/${slot}`);
  });
  const redraw = surface(canvas, draw);
  onTheme(redraw);
  on("frame", (frame) => {
    if (frame.kind !== WALL_SNAPSHOT && frame.kind !== WALL_DELTA) return;
    if (cells.take(frame)) redraw();
    else tell("send", { wall: "snapshot" });
  });
}
