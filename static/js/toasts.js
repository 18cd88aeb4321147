// Short messages: a good one goes by itself, a bad one stays longer and may be dismissed.
const SHOWN_MS = { done: 5000, error: 12000 };
const MOST = 4;
const list = document.getElementById("toasts");

// Says a sentence, once at a time: "done", "note" or "error".
export function toast(text, kind) {
  for (const item of list.children) if (item.querySelector("p")?.textContent === text) item.remove();
  const item = document.createElement("li");
  item.className = `toast ${kind}`;
  item.setAttribute("role", kind === "error" ? "alert" : "status");
  const words = document.createElement("p");
  words.textContent = text;
  item.append(words);
  list.append(item);
}

if (list) {
  new MutationObserver((changes) => {
    for (const item of changes.flatMap((change) => [...change.addedNodes])) {
      if (!(item instanceof HTMLElement)) continue;
      const kind = item.classList.contains("error") ? "error" : "done";
      setTimeout(() => item.remove(), SHOWN_MS[kind]);
    }
    while (list.children.length > MOST) list.firstElementChild.remove();
  }).observe(list, { childList: true });
  list.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest("li").remove();
  });
}

// Whether who asked takes a piece of a whole page, and this page has it.
function taken(page, { elt }) {
  const piece = elt.closest("[hx-select]")?.getAttribute("hx-select");
  return Boolean(piece && page.querySelector(piece));
}

// A whole page where a piece was asked for: an error page, or the log-in after the session ended.
document.addEventListener("htmx:beforeSwap", (event) => {
  const answer = event.detail.serverResponse;
  if (!/^\s*<!doctype/i.test(answer)) return;
  const page = new DOMParser().parseFromString(answer, "text/html");
  if (taken(page, event.detail.requestConfig)) return;
  event.detail.shouldSwap = false;
  const sentence = page.querySelector("[data-sentence]")?.textContent;
  if (sentence) toast(sentence, "error");
  else location.reload();
});
document.addEventListener("htmx:sendError", () => {
  toast("The server did not answer. Nothing is known to have changed; try again.", "error");
});
