// How long ago, or for how long: counted on in the page, by the server's clock.
import { on } from "./bus.js";

const server = document.querySelector("[data-now]");
const ahead = server ? Date.now() - 1000 * Number(server.dataset.now) : 0;

// The server's time, in milliseconds since 1970.
export const serverNow = () => Date.now() - ahead;

// Seconds as devices/live/words.py says them.
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 100) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 48 * 3600) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// Says all ages anew.
export function show() {
  const now = serverNow();
  for (const time of document.querySelectorAll("time[data-since], time[data-ago]")) {
    const { since, ago } = time.dataset;
    const text = duration((now - Date.parse(since || ago)) / 1000);
    const words = since ? text : `${text} ago`;
    if (time.textContent !== words) time.textContent = words;
  }
}

if (server) {
  setInterval(() => { if (!document.hidden) show(); }, 1000);
  on("html", show);
}
