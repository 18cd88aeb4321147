// The buttons follow what fits: one that cannot work is off and says why.
import { on } from "./bus.js";
import { toast } from "./toasts.js";

// What can be added is of one architecture: the one that is chosen beside the buttons.
function sorts() {
  return [...document.querySelectorAll("#capacity [data-architecture]")];
}

function chosen() {
  const wanted = document.getElementById("architecture")?.value;
  return sorts().find((sort) => sort.dataset.architecture === wanted) || sorts()[0];
}

function figures() {
  const all = document.getElementById("capacity")?.dataset;
  const data = chosen()?.dataset;
  return data && {
    fits: Number(data.fits), waiting: data.waiting, word: data.word ? `${data.word} ` : "",
    takes: (count) => Number(data[`takes-${count}`]), removable: Number(all.removable),
  };
}

function reason(kind, count, known) {
  if (kind === "add") {
    if (known.fits >= count) return "";
    if (known.fits === 0) return known.waiting || "No more fit";
    return `${known.fits.toLocaleString("en")} more ${known.word}fit`;
  }
  return known.removable ? "" : "There are no devices to remove";
}

function arm() {
  const known = figures();
  if (!known) return;
  for (const sort of sorts()) sort.hidden = sort !== chosen();
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
  const after = `${known.fits.toLocaleString("en")} more ${known.word}fit.`;
  const takes = known.takes(count);
  if (!takes) return `${after} How long it takes is not known yet: nothing of that size was added lately.`;
  return `${after} It takes about ${duration(takes)}, as the last additions went.`;
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
  if (button.title) toast(button.title, "note"); // a finger has no pointer to ask with
}, true);

document.addEventListener("change", (event) => { if (event.target.id === "architecture") arm(); });
on("html", arm);
arm();
