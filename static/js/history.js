// The page of history: asks for figures, appends what is new, and lets one part be looked at closer.
import { serverNow } from "./ages.js";
import { on } from "./bus.js";
import { chart } from "./chart.js";
import { clock } from "./forms.js";
import { atMarks, paintMarks, placeMarks } from "./history-marks.js";
import { fillTable } from "./history-table.js";
import { onTheme } from "./palette.js";

const page = document.getElementById("history");
const LEAST_S = 30; // no closer than a few points
const SLOWEST_MS = 60_000;
const REACH = { hour: 3600, day: 86_400, week: 604_800 }; // of each window, the finest first

const known = { window: "", at: [], columns: {}, marks: new Map(), step: 5 };
let seen = null; // [from, to] that a person has chosen, in Unix seconds
let drawn = [];
let paused = false;

const now = () => serverNow() / 1000;
const whole = () => REACH[page.dataset.window];
const spread = () => seen ?? [now() - whole(), now()];

// The finest window that has all that is seen: who looks closer sees more.
function finest() {
  const { window: asked } = page.dataset;
  if (!seen) return asked;
  return Object.keys(REACH).find((name) => name === asked || seen[0] > now() - REACH[name]);
}

function forget(name) {
  Object.assign(known, { window: name, at: [], columns: {}, marks: new Map() });
}

// Appends what the server says after what is known; time of which nothing is known stays empty.
function append(reading) {
  const { at, columns } = known;
  let missed = 0;
  if (at.length && reading.at.length) {
    for (let t = at.at(-1) + known.step; t < reading.at[0]; t += known.step, missed += 1) at.push(t);
  }
  const before = at.length;
  at.push(...reading.at);
  for (const name of new Set([...Object.keys(columns), ...Object.keys(reading.figures)])) {
    const column = columns[name] ??= {}, found = reading.figures[name];
    for (const part of ["mean", "least", "most"]) {
      if (found && found[part] === null) continue;
      const values = column[part] ??= [];
      while (values.length < before) values.push(null);
      if (found) values.push(...found[part]);
      while (values.length < at.length) values.push(null);
    }
  }
  const reach = REACH[known.window];
  const old = at.findIndex((t) => t > now() - reach - known.step);
  if (old > 0) {
    at.splice(0, old);
    for (const column of Object.values(columns)) for (const values of Object.values(column)) values.splice(0, old);
  }
  for (const mark of reading.operations) {
    const ended = mark.ended_at && Date.parse(mark.ended_at) / 1000;
    known.marks.set(mark.id, { ...mark, at: Date.parse(mark.created_at) / 1000, ended });
  }
  for (const [id, mark] of known.marks) if (mark.at < now() - reach) known.marks.delete(id);
}

function show() {
  const [from, to] = spread();
  for (const { made } of drawn) made.show(known.at, known.columns, from, to);
  const first = drawn[0];
  if (first) placeMarks(first.figure, first.made.plot, known.marks, from, to);
  fillTable(known, from, to);
  document.getElementById("history-empty").hidden = known.at.length > 0;
  document.getElementById("history-all").hidden = !seen;
}

// What is chosen is in the address, so that it can be handed on.
function choose(from, to) {
  const end = now(), begin = end - whole();
  if (from === null) seen = null;
  else {
    const middle = (from + to) / 2, half = Math.max(to - from, LEAST_S) / 2;
    seen = [Math.max(begin, middle - half), Math.min(end, middle + half)];
    if (seen[1] - seen[0] > 0.98 * whole()) seen = null;
  }
  const address = new URL(location.href);
  for (const [i, name] of ["from", "to"].entries()) {
    if (seen) address.searchParams.set(name, Math.round(seen[i]));
    else address.searchParams.delete(name);
  }
  history.replaceState(history.state, "", address);
  show();
  if (finest() !== known.window) ask();
}

function fromAddress() {
  const asked = new URLSearchParams(location.search);
  const from = Number(asked.get("from")), to = Number(asked.get("to"));
  if (from && to > from && to > now() - whole()) seen = [from, to];
}

// The cursor under the arrow keys; the other charts follow it.
function step(plot, by) {
  const { at } = known;
  const [from, to] = spread();
  const edge = by > 0 ? at.findIndex((t) => t >= from) : at.findLastIndex((t) => t <= to);
  const index = plot.cursor.idx == null ? edge : plot.cursor.idx + by;
  if (at[index] === undefined || at[index] < from || at[index] > to) return;
  plot.setCursor({ left: plot.valToPos(at[index], "x"), top: plot.over.clientHeight / 2 }, true, true);
  speak(index);
}

function speak(index) {
  const figures = [...document.activeElement.closest("figure").querySelectorAll(".legend li")];
  const said = figures.map((item) => item.textContent.trim()).join(", ");
  document.getElementById("history-spoken").textContent = `${clock(known.at[index], true)}: ${said}`;
}

function closer(plot, share) {
  const [from, to] = spread();
  const middle = known.at[plot.cursor.idx] ?? (from + to) / 2, half = (share * (to - from)) / 2;
  choose(middle - half, middle + half);
}

function keys(plot) {
  const actions = {
    ArrowLeft: () => step(plot, -1), ArrowRight: () => step(plot, 1),
    "+": () => closer(plot, 0.5), "=": () => closer(plot, 0.5), "-": () => closer(plot, 2),
    Escape: () => choose(null),
  };
  return (event) => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  };
}

async function ask() {
  const wanted = finest(), { series } = page.dataset;
  const after = wanted === known.window ? known.at.at(-1) ?? 0 : 0;
  const query = new URLSearchParams({ series, window: wanted, after });
  try {
    const answer = await fetch(`/api/v1/history?${query}`);
    if (!answer.ok) return;
    const reading = await answer.json();
    if (wanted !== finest() || (after && known.at.at(-1) !== after)) return; // asked again meanwhile
    if (!after) forget(wanted);
    known.step = reading.step_s;
    append(reading);
    show();
  } catch { /* asked again with the next step */ }
}

function begin() {
  for (const figure of page.querySelectorAll("figure.chart")) {
    const made = chart(figure, {
      sync: "history", zoom: choose,
      draw: (plot) => paintMarks(plot, known.marks),
      moved: (index) => atMarks(known.marks, index == null ? null : known.at[index], known.step),
    });
    figure.querySelector(".chart-box").addEventListener("keydown", keys(made.plot));
    drawn.push({ figure, made });
  }
  document.getElementById("history-all").addEventListener("click", () => choose(null));
  document.getElementById("history-details").addEventListener("toggle", show);
  on("paused", (state) => { paused = state; });
  onTheme(show);
  new ResizeObserver(() => requestAnimationFrame(show)).observe(document.getElementById("charts"));
  fromAddress();
  ask().then(again);
}

function again() {
  setTimeout(async () => {
    if (!document.hidden && !paused) await ask();
    again();
  }, Math.min(1000 * known.step, SLOWEST_MS));
}

if (page) begin();
