// A device's page: when its state has moved, what happened is asked for again.
import { on } from "./bus.js";

const SETTLE_MS = 400; // several moves in a row are one question
const PIECES = ["device-head", "device-reason", "device-about", "device-command"];
const page = document.querySelector(".page.device");

if (page) {
  const state = () => document.querySelector("#device-head .chip")?.textContent.trim();
  let known = state();
  let timer = 0;

  async function refresh() {
    const answer = await fetch(location.pathname).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of PIECES) {
      const piece = fresh.getElementById(id), old = document.getElementById(id);
      if (!piece || !old) continue;
      old.replaceWith(piece);
      window.htmx.process(piece);
    }
    known = state();
  }
  on("html", () => {
    if (state() === known) return;
    known = state();
    clearTimeout(timer);
    timer = setTimeout(refresh, SETTLE_MS);
  });
}
