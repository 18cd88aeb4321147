// Single keys, for who wants them.
import { nextTheme } from "./theme.js";

const help = document.getElementById("shortcuts");
const off = document.getElementById("keys-off");
let before = "";

const KEYS = {
  "/": (event) => {
    event.preventDefault();
    const search = document.getElementById("search");
    if (search) search.focus();
    else location.assign("/devices/#search");
  },
  "?": () => help.showModal(),
  t: nextTheme,
  "g f": () => location.assign("/"),
  "g d": () => location.assign("/devices/"),
};

if (help) {
  try { off.checked = localStorage.getItem("keys") === "off"; } catch { /* on, then */ }
  off.addEventListener("change", () => {
    try { localStorage.setItem("keys", off.checked ? "off" : "on"); } catch { /* for now only */ }
  });
  document.getElementById("help")?.addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (off.checked || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const action = KEYS[`${before} ${event.key}`] || KEYS[event.key];
    before = event.key;
    action?.(event);
  });
  if (location.hash === "#search") document.getElementById("search")?.focus();
}
