// Every core as a cell: cool when idle, bright when busy, with its share in figures when there is
// room; the same as a table for those who read it so.
import { on } from "./bus.js";
import { grid, surface } from "./canvas.js";
import { CORES, readCores } from "./frames.js";
import { heat, inkOn, onTheme, tokens } from "./palette.js";

const TABLE_MS = 1000;
const canvas = document.getElementById("cores");
const note = document.getElementById("cores-note");
const table = document.getElementById("cores-table");
let busy = new Uint8Array(0);
let tabled = 0;

function draw(pen, width, height) {
  const { muted, raise, font } = tokens();
  pen.clearRect(0, 0, width, height);
  if (!busy.length) {
    pen.fillStyle = muted;
    pen.font = `400 16px ${font}`;
    pen.fillText("waiting for the first sample", 0, 22);
    return;
  }
  // few cores are wide tiles, many are squares
  const few = busy.length <= 16;
  const { columns, rows } = few
    ? fewColumns(busy.length, width, height) : grid(busy.length, width, height);
  const gap = few ? 6 : Math.max(1, Math.min(4, width / columns / 12));
  const w = (width + gap) / columns - gap, h = (height + gap) / rows - gap;
  for (let i = 0; i < busy.length; i += 1) {
    const x = (i % columns) * (w + gap), y = Math.floor(i / columns) * (h + gap);
    cell(pen, i, x, y, w, h, raise, font);
  }
}

function fewColumns(count, width, height) {
  const columns = Math.min(count, Math.max(1, Math.round(Math.sqrt((count * width) / height / 1.6))));
  const rows = Math.ceil(count / columns);
  return { columns: Math.ceil(count / rows), rows };
}

function cell(pen, i, x, y, w, h, raise, font) {
  const share = busy[i] / 255;
  pen.fillStyle = heat(busy[i]);
  pen.fillRect(x, y, w, h);
  if (w < 30 || h < 22) return;
  pen.fillStyle = inkOn(busy[i]);
  const size = Math.min(h * 0.46, w * 0.36, 84);
  pen.font = `700 ${size}px ${font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(`${Math.round(share * 100)}`, x + w / 2, y + h / 2 + size * 0.04);
  if (w > 96 && h > 72) {
    pen.font = `500 ${Math.max(12, Math.min(16, h * 0.12))}px ${font}`;
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(`core ${i}`, x + 10, y + 9);
    pen.textAlign = "right";
    pen.fillText("%", x + w - 10, y + 9);
  }
}

function tell() {
  const now = performance.now();
  if (now - tabled < TABLE_MS) return;
  tabled = now;
  const mean = busy.reduce((sum, byte) => sum + byte, 0) / (busy.length || 1) / 2.55;
  note.textContent = `${busy.length} · ${Math.round(mean)} % busy`;
  if (!table.closest("details").open) return;
  while (table.rows.length > busy.length) table.deleteRow(-1);
  for (let i = 0; i < busy.length; i += 1) {
    const row = table.rows[i] || table.insertRow();
    if (!row.cells.length) {
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = `core ${i}`;
      row.append(head);
      row.insertCell();
    }
    row.cells[1].textContent = `${Math.round(busy[i] / 2.55)} %`;
  }
}

if (canvas) {
  const redraw = surface(canvas, draw);
  onTheme(redraw);
  on("frame", (frame) => {
    if (frame.kind !== CORES) return;
    const hosts = [...readCores(frame.payload).values()];
    const count = hosts.reduce((sum, cores) => sum + cores.length, 0);
    busy = new Uint8Array(count);
    let at = 0;
    for (const cores of hosts) { busy.set(cores, at); at += cores.length; }
    tell();
    redraw();
  });
  const ramp = document.getElementById("ramp").getContext("2d");
  for (let x = 0; x < 160; x += 1) {
    ramp.fillStyle = heat(Math.round((x / 159) * 255));
    ramp.fillRect(x, 0, 1, 8);
  }
  document.fonts.ready.then(redraw);
}
