// A question in the page's own words instead of the browser's box.
import { armed } from "./armed.js";
import { estimate } from "./controls.js";
import { toast } from "./toasts.js";

const dialog = document.getElementById("confirm");
const answered = new WeakSet(); // elements whose question was answered before they came into the page

// Whether the answer is yes; `yes` is what its button says.
export function ask({ question, detail, yes }) {
  document.getElementById("confirm-question").textContent = question;
  document.getElementById("confirm-detail").textContent = detail;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// The page has put another element in the place of the one that was pressed: it is pressed instead if
// it means the same.
function pressInstead(elt, question) {
  const now = elt.id && document.getElementById(elt.id);
  const same = now && now.getAttribute("hx-post") === elt.getAttribute("hx-post")
    && now.getAttribute("hx-confirm") === question && now.getAttribute("aria-disabled") !== "true";
  if (!same || now.matches("form")) {
    toast("That has changed meanwhile. Nothing was done.", "error");
    return;
  }
  answered.add(now);
  now.click();
}

document.addEventListener("htmx:confirm", async (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  // only the buttons of the stage are armed: what names one device is always asked about
  if (answered.delete(elt) || elt.dataset.count && armed()) { issueRequest(true); return; }
  const { kind, count, detail } = elt.dataset;
  const yes = question.split(" ").slice(0, 2).join(" ").replace("?", "");
  if (!await ask({ question, detail: detail || estimate(kind, Number(count)), yes })) return;
  if (elt.isConnected) issueRequest(true);
  else pressInstead(elt, question);
});
