// A question in the page's own words instead of the browser's box.
import { armed } from "./armed.js";
import { estimate } from "./controls.js";

const dialog = document.getElementById("confirm");

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

document.addEventListener("htmx:confirm", async (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  // only the buttons of the stage are armed: what names one device is always asked about
  if (elt.dataset.count && armed()) { issueRequest(true); return; }
  const { kind, count, detail } = elt.dataset;
  const yes = question.split(" ").slice(0, 2).join(" ").replace("?", "");
  if (await ask({ question, detail: detail || estimate(kind, Number(count)), yes })) issueRequest(true);
});
