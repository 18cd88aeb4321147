// The buttons follow what fits: one that cannot work is off and says why.
import { on } from "./bus.js";

function figures() {
  const data = document.getElementById("capacity")?.dataset;
  return data && {
    fits: Number(data.fits), removable: Number(data.removable),
    rate: Number(data.rate), waiting: data.waiting,
  };
}

function reason(kind, count, known) {
  if (kind === "add") {
    if (known.fits >= count) return "";
    if (known.fits === 0) return known.waiting || "No more fit";
    return `${known.fits.toLocaleString("en")} more fit`;
  }
  return known.removable ? "" : "There are no devices to remove";
}

function arm() {
  const known = figures();
  if (!known) return;
  for (const button of document.querySelectorAll("button[data-count]")) {
    const why = reason(button.dataset.kind, Number(button.dataset.count), known);
    // aria-disabled, not disabled: it stays reachable and can be asked why
    button.setAttribute("aria-disabled", why ? "true" : "false");
    button.title = why;
  }
}

export function estimate(kind, count) {
  const known = figures();
  if (!known) return "";
  if (kind === "remove") {
    const real = Math.min(count, known.removable);
    return `${real.toLocaleString("en")} of ${known.removable.toLocaleString("en")} go: failed ones first, then the newest. Their disks are deleted.`;
  }
  const after = `${known.fits.toLocaleString("en")} more fit.`;
  if (!known.rate) return `${after} How long it takes is not known yet: none has been added here before.`;
  return `${after} At the last rate of ${rate(known.rate)} it takes about ${duration(count / known.rate)}.`;
}

function rate(perSecond) {
  return perSecond >= 1 ? `${perSecond.toFixed(1)} a second` : `${(perSecond * 60).toFixed(0)} a minute`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[aria-disabled=true]");
  if (!button) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// Pressed twice by a nervous finger or sent twice by a shaky network, it is done once.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb === "post") event.detail.headers["Idempotency-Key"] = crypto.randomUUID?.() || `${Date.now()}-${Math.random()}`;
});

on("html", arm);
arm();
