// Frozen figures must not look alive: three seconds without a sample and the page says so.
import { on } from "./bus.js";
import { slowMs } from "./attention.js";
import { CORES } from "./frames.js";

const STALE_MS = 3000 + slowMs;
const banner = document.getElementById("stale");
const age = document.getElementById("stale-age");
const why = document.getElementById("stale-why");
const pill = document.getElementById("connection");
const word = document.getElementById("connection-word");
let heard = performance.now();
let connection = "connecting", paused = false;

function show() {
  const silent = performance.now() - heard;
  const stale = silent > STALE_MS;
  banner.hidden = !stale && !paused;
  document.body.classList.toggle("is-stale", stale && !paused);
  if (paused) {
    age.textContent = "PAUSED";
    why.textContent = `for ${Math.round(silent / 1000)} s; the p key goes on.`;
  } else if (stale) {
    age.textContent = `STALE ${Math.round(silent / 1000)} s`;
    why.textContent = connection === "live"
      ? "The poller has stopped telling how the machine is; what you see is from then."
      : "The connection is lost and is being made again; what you see is from then.";
  }
  const state = connection !== "live" ? connection : paused ? "paused" : stale ? "stale" : "live";
  pill.dataset.connection = state;
  word.textContent = state === "lost" ? "reconnecting" : state;
}

if (pill) {
  on("frame", (frame) => {
    if (frame.kind !== CORES) return;
    heard = performance.now();
    if (!banner.hidden) show();
  });
  on("connection", (state) => { connection = state; show(); });
  on("paused", (now) => { paused = now; show(); });
  on("shown", () => { heard = performance.now(); });
  setInterval(() => { if (!document.hidden) show(); }, 1000);
}
