// For ears: the count, when it has changed, and not more often than every five seconds.
import { on } from "./bus.js";

const EVERY_MS = 5000;
const announcer = document.getElementById("announcer");
let said = "", at = 0;

on("html", () => {
  const counts = document.getElementById("counts");
  if (!counts) return;
  const sentence = `${counts.dataset.online} of ${counts.dataset.total} devices online`;
  const now = performance.now();
  if (!said) said = sentence;
  if (sentence === said || now - at < EVERY_MS) return;
  said = sentence;
  at = now;
  announcer.textContent = sentence;
});
