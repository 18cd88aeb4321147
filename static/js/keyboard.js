// Single keys, for who wants them.
import { tell } from "./bus.js";
import { nextTheme } from "./theme.js";

const help = document.getElementById("shortcuts");
const off = document.getElementById("keys-off");
const onWall = document.body.dataset.page === "wall";
let before = "";

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => { /* the browser may forbid it */ });
}

const KEYS = {
  "?": () => help.showModal(),
  f: fullScreen,
  k: () => location.assign("/wall?kiosk"),
  p: () => tell("pause"),
  t: nextTheme,
};
const OF_THE_WALL = { n: () => tell("next-view") };
const OF_PAGES = {
  "/": (event) => {
    event.preventDefault();
    const search = document.getElementById("search");
    if (search) search.focus();
    else location.assign("/devices/#search");
  },
  a: () => tell("select"),
  Escape: () => tell("unselect"),
  "g f": () => location.assign("/"),
  "g d": () => location.assign("/devices/"),
  "g o": () => location.assign("/operations/"),
  "g h": () => location.assign("/history"),
};

if (help) {
  Object.assign(KEYS, onWall ? OF_THE_WALL : OF_PAGES);
  try { off.checked = localStorage.getItem("keys") === "off"; } catch { /* on, then */ }
  off.addEventListener("change", () => {
    try { localStorage.setItem("keys", off.checked ? "off" : "on"); } catch { /* for now only */ }
  });
  document.getElementById("help")?.addEventListener("click", () => help.showModal());
  document.getElementById("shortcuts-close").addEventListener("click", () => help.close());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (off.checked || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const action = KEYS[`${before} ${event.key}`] || KEYS[event.key];
    before = event.key;
    action?.(event);
  });
  if (location.hash === "#search") document.getElementById("search")?.focus();
}
