// Which devices of the list are selected: some, by their serials, or all that match.
import { on, tell } from "./bus.js";
import { keep, kept, stillListed } from "./kept-selection.js";
import { toast } from "./toasts.js";

let picked = new Set(), all = false, from = null, query = null;
let returning = []; // selected before, while the server is asked which of them are still listed

const listing = () => document.getElementById("listing");
const boxes = () => [...document.querySelectorAll("#listing td.pick input")];
const pageBox = () => document.getElementById("pick-page");

export function selection() {
  const total = Number(listing()?.dataset.total || 0);
  return { all, serials: [...picked], total, query, wholePage: isWholePage() };
}

export function clear() {
  picked = new Set();
  all = false;
  from = null;
  returning = [];
  show();
}

export function selectAll() {
  all = true;
  returning = [];
  show();
}

function isWholePage() {
  const found = boxes();
  return found.length > 0 && found.every((box) => all || picked.has(box.value));
}

function show() {
  for (const box of boxes()) {
    box.checked = all || picked.has(box.value);
    box.closest("tr").classList.toggle("is-picked", box.checked);
  }
  const whole = pageBox();
  if (whole) {
    whole.checked = isWholePage();
    whole.indeterminate = !whole.checked && boxes().some((box) => box.checked);
  }
  tell("selection", selection());
}

function pick(some, wanted) {
  // one taken out of all: what is left is what can be seen
  if (all) picked = new Set(boxes().map((box) => box.value));
  all = false;
  for (const box of some) picked[wanted ? "add" : "delete"](box.value);
  show();
}

function upTo(box, wanted) {
  const found = boxes();
  const here = found.indexOf(box), there = found.findIndex((each) => each.value === from);
  const some = there < 0 ? [box] : found.slice(Math.min(here, there), Math.max(here, there) + 1);
  pick(some, wanted);
  from = box.value;
}

function step(box, by, extend) {
  const found = boxes();
  const next = found[found.indexOf(box) + by];
  if (!next) return;
  next.focus();
  if (!extend) return;
  from = box.value;
  upTo(next, true);
}

function pressed(event) {
  const box = event.target;
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) step(box, by, event.shiftKey);
  else if (event.key === " " && event.shiftKey) upTo(box, true);
  else return;
  event.preventDefault();
}

document.addEventListener("click", (event) => {
  const box = event.target;
  if (box.id === "pick-page") pick(boxes(), box.checked);
  else if (box.matches?.("#listing td.pick input")) {
    if (event.shiftKey) upTo(box, box.checked);
    else { pick([box], box.checked); from = box.value; }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("#listing td.pick input")) pressed(event);
});
on("select", () => {
  if (!boxes().length) return;
  if (isWholePage() && Number(listing().dataset.total) > boxes().length) selectAll();
  else pick(boxes(), true);
});
on("unselect", clear);

function saidOf(before, listed) {
  if (!listed) return "The server did not say which of the devices that were selected are still listed. None of them is selected: select them again.";
  const left = before.length - listed.length;
  return left && `${left} of ${before.length} selected ${left === 1 ? "is" : "are"} no longer in this list.`;
}

// Devices that were selected when the list was left are so again, as far as it still has them.
async function restore(before) {
  if (!before.length) return;
  returning = before;
  const listed = await stillListed(before, query);
  if (returning !== before) return; // let go of meanwhile
  returning = [];
  for (const serial of listed || []) picked.add(serial);
  const said = saidOf(before, listed);
  if (said) toast(said, listed ? "note" : "error");
  show();
}

// Other devices are listed: what was selected stays while the same are meant.
function follow() {
  const list = listing()?.dataset, now = list?.query;
  if (now === undefined) return;
  const first = query === null;
  if (!first && now !== query) { picked = new Set(); all = false; returning = []; }
  query = now;
  show();
  if (first) restore(kept(list));
}

document.addEventListener("htmx:afterSwap", follow);
// not all that match, which may be others when the page is seen again
addEventListener("pagehide", () => {
  if (query !== null) keep(listing().dataset, all ? [] : [...new Set([...picked, ...returning])]);
});
follow();
