// Tells the server which devices are on the screen, and hears of no others. A device is known by its
// place, which another one may get when it is gone: a chip that says gone follows its place no more,
// and after a time without news the page asks what has become of its devices before it asks for them.
import { on, tell } from "./bus.js";

let opened = false, away = false;

function slots() {
  const chips = document.querySelectorAll(".chip[id^=state-]");
  return [...chips].map((chip) => Number(chip.id.slice("state-".length))).slice(0, 100);
}

// A page without such chips, such as a wall, may not ask for any.
function follow(rows) {
  if (document.querySelector("#listing, .device, .one-operation")) tell("send", { rows });
}

function ask() {
  if (!away) follow(slots());
}

on("open", () => {
  if (opened) tell("recheck");
  else ask();
  opened = true;
});
on("away", (now) => {
  away = now;
  if (away) follow([]);
  else tell("recheck");
});
on("rechecked", ask);
on("html", () => {
  for (const chip of document.querySelectorAll(".chip.state-gone[id]")) chip.removeAttribute("id");
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "listing") ask();
});
