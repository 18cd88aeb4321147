// How busy each core is: tells "cores" with a byte for each, and keeps the table of them.
import { on, tell } from "./bus.js";
import { CORES, readCores } from "./frames.js";
import { summary } from "./cores-past.js";

const TABLE_MS = 1000;
const note = document.getElementById("cores-note");
const table = document.getElementById("cores-table");
let tabled = 0;

function percent(byte) {
  return `${Math.round(byte / 2.55)} %`;
}

function rowOf(i) {
  if (table.rows[i]) return table.rows[i];
  const row = table.insertRow(), head = document.createElement("th");
  head.scope = "row";
  head.textContent = `core ${i}`;
  row.append(head);
  for (let column = 0; column < 3; column += 1) row.insertCell();
  return row;
}

function describe(busy) {
  const now = performance.now();
  if (now - tabled < TABLE_MS) return;
  tabled = now;
  const mean = busy.reduce((sum, byte) => sum + byte, 0) / (busy.length || 1);
  note.textContent = `${busy.length} · ${percent(mean)} busy`;
  if (!table?.closest("details").open) return;
  while (table.rows.length > busy.length) table.deleteRow(-1);
  const minute = summary();
  for (let i = 0; i < busy.length; i += 1) {
    const cells = rowOf(i).cells;
    cells[1].textContent = percent(busy[i]);
    cells[2].textContent = percent(minute[i]?.mean || 0);
    cells[3].textContent = percent(minute[i]?.most || 0);
  }
}

if (note) {
  on("frame", (frame) => {
    if (frame.kind !== CORES) return;
    const hosts = [...readCores(frame.payload).values()];
    const busy = new Uint8Array(hosts.reduce((sum, cores) => sum + cores.length, 0));
    let at = 0;
    for (const cores of hosts) { busy.set(cores, at); at += cores.length; }
    tell("cores", busy);
    describe(busy);
  });
}
