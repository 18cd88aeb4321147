// The wall's views, one after the other for a screen that nobody touches. In the address:
// ?kiosk  &view=devices  &views=fleet,cores  &rotate=30  &text=120  (and theme, refresh)
import { on } from "./bus.js";

const VIEWS = ["fleet", "devices", "cores", "work"];
const ROTATE_S = 30, IDLE_MS = 3000;
const asked = new URLSearchParams(location.search);
const body = document.body;

function show(view) {
  body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-to]")) {
    button.setAttribute("aria-pressed", button.dataset.to === view ? "true" : "false");
  }
}

// A screen that sleeps shows nothing; the browser takes the lock away whenever the tab is hidden.
async function stayAwake() {
  if (document.hidden) return;
  try { await navigator.wakeLock?.request("screen"); } catch { /* power saving, or no TLS */ }
}

function hideIdlePointer() {
  let timer = 0;
  const moved = () => {
    body.classList.remove("is-idle");
    clearTimeout(timer);
    timer = setTimeout(() => body.classList.add("is-idle"), IDLE_MS);
  };
  addEventListener("pointermove", moved);
  moved();
}

if (body.classList.contains("wallpage")) {
  const kiosk = body.classList.contains("kiosk");
  const wanted = (asked.get("views") || "").split(",").filter((view) => VIEWS.includes(view));
  const views = wanted.length ? wanted : VIEWS;
  const text = Number(asked.get("text"));
  if (text >= 50 && text <= 300) document.documentElement.style.setProperty("--text", text / 100);
  let held = false;
  const next = () => show(views[(views.indexOf(body.dataset.view) + 1) % views.length]);

  show(VIEWS.includes(asked.get("view")) ? asked.get("view") : views[0]);
  on("next-view", next);
  on("paused", (paused) => { held = paused; });
  for (const button of document.querySelectorAll("[data-to]")) {
    button.addEventListener("click", () => show(button.dataset.to));
  }
  const rotate = asked.has("rotate") ? Number(asked.get("rotate")) : kiosk ? ROTATE_S : 0;
  if (rotate >= 1 && views.length > 1) setInterval(() => { if (!held && !document.hidden) next(); }, rotate * 1000);
  if (kiosk) {
    hideIdlePointer();
    stayAwake();
    document.addEventListener("visibilitychange", stayAwake);
  }
}
