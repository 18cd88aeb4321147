// A connection can be dead without a word: when nothing has come for a while the server is asked
// whether it is there, and when it does not say so the socket is made anew as soon as it answers at all.
import { slowMs } from "./attention.js";
import { on, tell } from "./bus.js";
import { knock } from "./knock.js";

const QUIET_MS = 3000 + slowMs;
const SILENT_MS = 2000 + slowMs; // after the question; from then on the page says that nothing arrives
const DEAD_MS = 12_000 + slowMs;
const KNOCK_EVERY_MS = 3000;
let heard = performance.now(), asked = 0, knocked = 0;
let up = false, away = false, silent = false;

function hear() {
  heard = performance.now();
  asked = 0;
  if (!silent) return;
  silent = false;
  tell("connection", "live");
}

async function look() {
  const now = performance.now();
  if (!up || away) return;
  if (!asked) {
    if (now - heard < QUIET_MS) return;
    asked = now;
    tell("send", { ping: 1 });
    return;
  }
  if (now - asked < SILENT_MS) return;
  if (!silent) tell("connection", "silent");
  silent = true;
  if (now - asked < DEAD_MS || now - knocked < KNOCK_EVERY_MS) return;
  knocked = now;
  if (await knock() && up && silent) tell("reconnect");
}

on("html", hear);
on("frame", hear);
on("away", (now) => { away = now; hear(); });
on("open", () => { up = true; silent = false; hear(); });
on("connection", (word) => { if (word === "lost") up = silent = false; });
setInterval(look, 1000);
