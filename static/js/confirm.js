// A question in the page's own words instead of the browser's box.
import { estimate } from "./controls.js";

const dialog = document.getElementById("confirm");

document.addEventListener("htmx:confirm", (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
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
