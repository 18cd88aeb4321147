// Frozen figures must not look alive: three seconds without a sample and the page says so.
import { duration } from "./ages.js";
import { slowMs } from "./attention.js";
import { on } from "./bus.js";
import { CORES } from "./frames.js";

const STALE_MS = 3000 + slowMs;
const WHY = {
  live: "The poller has stopped telling how the machine is; what you see is from then.",
  silent: "Nothing arrives from the server; what you see is from then.",
};
const LOST = "The connection is lost and is being made again; what you see is from then.";
const WORDS = { lost: "reconnecting", silent: "no answer" };
const banner = document.getElementById("stale");
const age = document.getElementById("stale-age");
const why = document.getElementById("stale-why");
const pill = document.getElementById("connection");
const word = document.getElementById("connection-word");
let heard = performance.now(), sampled = 0;
let connection = "connecting", paused = false;

function show() {
  const silent = performance.now() - heard;
  const stale = silent > STALE_MS;
  banner.hidden = !stale && !paused;
  document.body.classList.toggle("is-stale", stale && !paused);
  if (paused) {
    age.textContent = "PAUSED";
    why.textContent = `for ${duration(silent / 1000)}; the p key goes on.`;
  } else if (stale) {
    age.textContent = `STALE ${duration(silent / 1000)}`;
    why.textContent = WHY[connection] || LOST;
  }
  const state = connection !== "live" ? connection : paused ? "paused" : stale ? "stale" : "live";
  pill.dataset.connection = state;
  word.textContent = WORDS[state] || state;
}

if (pill) {
  on("frame", (frame) => {
    // a new connection begins with the newest sample, which may be an old one
    if (frame.kind !== CORES || frame.at === sampled) return;
    sampled = frame.at;
    heard = performance.now();
    if (!banner.hidden) show();
  });
  on("connection", (state) => { connection = state; show(); });
  on("paused", (now) => { paused = now; show(); });
  on("shown", () => { heard = performance.now(); });
  setInterval(() => { if (!document.hidden) show(); }, 1000);
}
