// The list holds still: rows keep their places while what they say is renewed. Their states come by
// themselves; when one has changed, the rest of its row is asked for.
import { serverNow, show } from "./ages.js";
import { on, tell } from "./bus.js";
import { asker } from "./pieces.js";

const SETTLE_MS = 2000;
const HEADERS = { "HX-Request": "true", "HX-Target": "listing" }; // the list alone, not the page
const states = new WeakMap(); // row -> what its chip said
let recheck = false;

const rows = (root) => [...root.querySelectorAll("#listing tbody tr")];
const serial = (row) => row.querySelector(".pick input").value;
const chipOf = (row) => row.querySelector(".chip");
const said = (cell) => cell.querySelector("time")?.dataset.since || cell.innerHTML;

function note(row) {
  const now = chipOf(row).textContent, before = states.get(row);
  states.set(row, now);
  return before !== undefined && before !== now;
}

function moved(row) {
  if (!note(row)) return false;
  row.querySelector(".at-since time").dataset.since = new Date(serverNow()).toISOString();
  row.querySelector(".at-reason").textContent = "";
  return true;
}

function renew(row, fresh) {
  const old = chipOf(row), now = chipOf(fresh);
  if (old.id !== now.id) old.replaceWith(now); // its place is its own no more
  else if (old.textContent !== now.textContent) return; // the socket knows it sooner
  note(row);
  const cells = [...fresh.cells];
  [...row.cells].forEach((cell, i) => {
    if (!cell.matches(".pick, th, .at-state") && said(cell) !== said(cells[i])) cell.replaceWith(cells[i]);
  });
}

function sayGone(row) {
  const chip = chipOf(row);
  chip.removeAttribute("id");
  chip.className = "chip state-gone";
  chip.querySelector("use").setAttribute("href", "#i-gone");
  chip.lastChild.textContent = "gone";
  for (const cell of row.querySelectorAll(".at-since, .at-reason")) cell.textContent = ""; // not known
  note(row);
}

// A row that the list has no more: whether its place is still its own. False: the server did not say.
async function checked(row) {
  const place = chipOf(row).id.slice("state-".length);
  if (!place) return true;
  const answer = await fetch(`/devices/at/${place}/serial`).catch(() => null);
  if (!answer || answer.redirected || !answer.ok && answer.status !== 404) return false;
  if (answer.status === 404 || await answer.text() !== serial(row)) sayGone(row);
  return true;
}

async function take(fresh) {
  const there = new Map(rows(fresh).map((row) => [serial(row), row]));
  const gone = [];
  for (const row of rows(document)) {
    const now = there.get(serial(row));
    if (now) renew(row, now);
    else gone.push(row);
  }
  show();
  if (!recheck) return true;
  for (const row of gone) if (!await checked(row)) return false;
  recheck = false;
  tell("rechecked");
  return true;
}

if (document.getElementById("listing")) {
  const again = asker(SETTLE_MS, take, HEADERS);
  const noteAll = () => rows(document).forEach(note);
  on("html", () => { if (rows(document).filter(moved).length) again(); });
  on("recheck", () => { recheck = true; again(0); });
  document.addEventListener("htmx:afterSwap", noteAll);
  noteAll();
}
