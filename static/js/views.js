// Saved views: the one that is looked at is marked; dialogs open and close where a button says so.
import { granted } from "./presses.js";

const look = () => document.getElementById("look")?.value;

function mark() {
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === look()) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const id = event.target.closest?.("[data-opens]")?.dataset.opens;
  if (id) document.getElementById(id).showModal();
  if (event.target.closest?.("[data-closes]")) event.target.closest("dialog").close();
});
document.addEventListener("htmx:afterRequest", (event) => {
  const dialog = event.target.closest?.("dialog[open]");
  if (dialog && granted(event)) dialog.close();
});
document.addEventListener("htmx:afterSwap", mark);
mark();
