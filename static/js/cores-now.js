// Every core as a cell: cool when idle, bright when busy, with its share in figures when there is
// room. A few cores stand one below the other, beside their histories.
import { on } from "./bus.js";
import { grid, surface } from "./canvas.js";
import { heat, inkOn, onTheme, tokens } from "./palette.js";

export const FEW = 12;
export const rowGap = (count) => (count <= 4 ? 6 : 3);
const canvas = document.getElementById("cores");
let busy = new Uint8Array(0);

function draw(pen, width, height) {
  const { muted, font } = tokens();
  pen.clearRect(0, 0, width, height);
  if (!busy.length) {
    pen.fillStyle = muted;
    pen.font = `400 16px ${font}`;
    pen.fillText("waiting for the first sample", 0, 22);
    return;
  }
  const few = busy.length <= FEW;
  const { columns, rows } = few ? { columns: 1, rows: busy.length } : grid(busy.length, width, height);
  const gap = few ? rowGap(busy.length) : Math.max(1, Math.min(4, width / columns / 12));
  const w = (width + gap) / columns - gap, h = (height + gap) / rows - gap;
  for (let i = 0; i < busy.length; i += 1) {
    const x = (i % columns) * (w + gap), y = Math.floor(i / columns) * (h + gap);
    cell(pen, i, x, y, w, h, font);
  }
}

function cell(pen, i, x, y, w, h, font) {
  pen.fillStyle = heat(busy[i]);
  pen.fillRect(x, y, w, h);
  if (w < 22 || h < 14) return;
  pen.fillStyle = inkOn(busy[i]);
  const size = Math.min(h * 0.62, w * 0.44, 160);
  pen.font = `700 ${size}px ${font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(`${Math.round(busy[i] / 2.55)}`, x + w / 2, y + h / 2 + size * 0.05);
  if (w < 110 || h < 44) return;
  pen.font = `500 ${Math.max(11, Math.min(16, h * 0.16))}px ${font}`;
  pen.textAlign = "left";
  pen.textBaseline = "top";
  pen.fillText(`${i}`, x + 8, y + 7);
  pen.textAlign = "right";
  pen.fillText("%", x + w - 8, y + 7);
}

if (canvas) {
  const redraw = surface(canvas, draw);
  onTheme(redraw);
  on("cores", (now) => { busy = now; redraw(); });
  document.fonts.ready.then(redraw);
  const ramp = document.getElementById("ramp")?.getContext("2d");
  for (let x = 0; ramp && x < 160; x += 1) {
    ramp.fillStyle = heat(Math.round((x / 159) * 255));
    ramp.fillRect(x, 0, 1, 8);
  }
}
