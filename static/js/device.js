// A device's page: when something was written about it, its pieces are asked for again.
import { on, tell } from "./bus.js";
import { refresher } from "./pieces.js";
import { granted } from "./presses.js";

const SETTLE_MS = 400; // several moves in a row are one question
const page = document.querySelector(".page.device");

if (page) {
  const actions = [...document.querySelectorAll("[data-piece]")].map((piece) => piece.id);
  const pieces = [
    "device-state", ...actions, "device-tags", "device-reason", "device-slots", "device-identity",
    "device-timeline", "device-machine", "device-command",
  ];
  const state = () => document.querySelector("#device-state .chip")?.textContent.trim();
  const news = () => document.getElementById("device-now")?.dataset.news;
  let knownState = state(), knownNews = news();
  let recheck = false;
  const refresh = refresher(pieces, SETTLE_MS, () => {
    knownState = state();
    if (recheck) tell("rechecked");
    recheck = false;
  });

  on("html", () => {
    if (state() === knownState && news() === knownNews) return;
    knownState = state();
    knownNews = news();
    refresh();
  });
  on("recheck", () => { recheck = true; refresh(0); });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig.verb !== "post" || !event.detail.successful) return;
    if (granted(event)) event.target.closest?.("form")?.reset();
    refresh();
  });
}
