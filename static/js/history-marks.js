// Operations on the charts of history: a line where one was asked for, a link to it above the first.
import { tokens } from "./palette.js";

const SIGNS = { add: "+", remove: "−", reboot: "↻", shut_down: "↓", power_off: "×", power_on: "↑", tag: "#" };
const APART_PX = 26;

function title({ kind, count, actor, state, created_at: asked }) {
  const verb = kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("_", " ");
  const many = count === 1 ? "1 device" : `${count.toLocaleString("en")} devices`;
  const who = actor ? ` by ${actor}` : "";
  return `${asked.slice(11, 19)} ${verb} ${many}${who}: ${state}`;
}

// Those that lie so close that their links would cover each other stand as one.
function bunches(marks, plot, from, to) {
  const found = [];
  for (const mark of marks) {
    if (mark.at < from || mark.at > to) continue;
    const x = plot.valToPos(mark.at, "x"), last = found.at(-1);
    if (last && x - last.x < APART_PX) last.marks.push(mark);
    else found.push({ x, marks: [mark] });
  }
  return found;
}

const inOrder = (marks) => [...marks.values()].sort((a, b) => a.at - b.at);
const note = document.getElementById("marks-note");
let placed = "";

export function placeMarks(figure, plot, marks, from, to) {
  const strip = figure.querySelector(".marks");
  const found = bunches(inOrder(marks), plot, from, to);
  const same = JSON.stringify([plot.bbox.left, found]);
  if (same === placed) return; // a link is not taken from under a finger
  placed = same;
  const focused = strip.contains(document.activeElement) ? document.activeElement.getAttribute("href") : "";
  const left = plot.bbox.left / window.devicePixelRatio;
  strip.replaceChildren(...found.map(({ x, marks: bunch }) => {
    const link = document.createElement("a");
    const titles = bunch.map(title).join(" · ");
    link.href = bunch.length === 1 ? `/operations/${bunch[0].id}/` : "/operations/";
    link.textContent = bunch.length === 1 ? SIGNS[bunch[0].kind] ?? "•" : bunch.length;
    link.setAttribute("aria-label", bunch.length === 1 ? titles : `${bunch.length} operations: ${titles}`);
    link.title = titles;
    link.style.left = `${left + x}px`;
    for (const event of ["pointerenter", "focus"]) link.addEventListener(event, () => { note.textContent = titles; });
    return link;
  }));
  if (focused) strip.querySelector(`a[href="${focused}"]`)?.focus();
}

// Beneath the lines: when each was asked for, and until when it went on.
export function paintMarks(plot, marks) {
  const { ctx: pen, bbox } = plot;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  pen.clip();
  for (const { at, ended } of marks.values()) {
    const x = Math.round(plot.valToPos(at, "x", true));
    const end = ended ? plot.valToPos(ended, "x", true) : bbox.left + bbox.width;
    pen.fillStyle = tokens().press;
    pen.fillRect(x, bbox.top, Math.max(1, end - x), bbox.height);
    pen.fillStyle = tokens().muted;
    pen.fillRect(x, bbox.top, window.devicePixelRatio, bbox.height);
  }
  pen.restore();
}

// Names the operations at the cursor.
export function atMarks(marks, at, step) {
  if (at === null) return;
  const there = inOrder(marks).filter((mark) => Math.abs(mark.at - at) <= 2 * step);
  if (there.length) note.textContent = there.map(title).join(" · ");
}
