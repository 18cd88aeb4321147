// Whether anybody looks: a hidden or paused page is sent nothing, and one that asked for it looks
// only now and then.
import { on, tell } from "./bus.js";

const LOOK_MS = 1200; // long enough for everything to be rendered and sent once
const refreshMs = 1000 * Math.min(3600, Number(new URLSearchParams(location.search).get("refresh")) || 0);
let paused = false, looking = true, away = false;

export const slowMs = refreshMs > LOOK_MS ? refreshMs : 0;

function say() {
  tell("send", { hidden: document.hidden || paused || !looking });
  if ((document.hidden || paused) !== away) tell("away", away = !away);
}

on("open", () => { if (document.hidden || paused || !looking) say(); });
document.addEventListener("visibilitychange", () => {
  say();
  if (!document.hidden) tell("shown");
});
on("pause", () => {
  paused = !paused;
  document.body.classList.toggle("is-paused", paused);
  say();
  tell("paused", paused);
  if (!paused) tell("shown");
});
if (slowMs) {
  const look = () => {
    looking = true;
    say();
    setTimeout(() => { looking = false; say(); }, LOOK_MS);
  };
  setTimeout(() => { looking = false; say(); }, 2 * LOOK_MS);
  setInterval(look, slowMs);
}
