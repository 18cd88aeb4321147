// A question in the page's own words instead of the browser's box.
import { armed } from "./armed.js";
import { estimate } from "./controls.js";

const dialog = document.getElementById("confirm");

document.addEventListener("htmx:confirm", (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  // only the buttons of the stage are armed: what names one device is always asked about
  if (elt.dataset.count && armed()) { issueRequest(true); return; }
  const { kind, count, detail } = elt.dataset;
  document.getElementById("confirm-question").textContent = question;
  document.getElementById("confirm-detail").textContent = detail || estimate(kind, Number(count));
  document.getElementById("confirm-yes").textContent = question.split(" ").slice(0, 2).join(" ").replace("?", "");
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") issueRequest(true);
  }, { once: true });
});
