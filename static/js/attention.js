// Whether anybody looks: a hidden or paused page is sent nothing, and one that asked for it looks
// only now and then.
import { on, tell } from "./bus.js";

const LOOK_MS = 1200; // after the first thing came: long enough for everything to be rendered and sent
const refreshMs = 1000 * Math.min(3600, Number(new URLSearchParams(location.search).get("refresh")) || 0);
let paused = false, looking = true, away = false;

export const slowMs = refreshMs > LOOK_MS ? refreshMs : 0;

function say() {
  tell("send", { hidden: document.hidden || paused || !looking });
  if ((document.hidden || paused) !== away) tell("away", away = !away);
}

on("open", () => { if (!slowMs && (document.hidden || paused)) say(); });
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
  let rest = 0;
  const look = () => {
    clearTimeout(rest);
    rest = 0;
    looking = true;
    say();
  };
  const seen = () => {
    if (!looking || rest) return;
    rest = setTimeout(() => { rest = 0; looking = false; say(); }, LOOK_MS);
  };
  on("open", look);
  on("html", seen);
  on("frame", seen);
  setInterval(look, slowMs);
}
