// A host's page: what moves on it is asked for again, its forms only when they mean something else.
const EVERY_MS = 3000, SOON_MS = 500;
const page = document.getElementById("host");

function isNew(old, piece) {
  if (!old.matches("form")) return true;
  return old.dataset.means !== piece.dataset.means && !old.contains(document.activeElement);
}

async function refresh() {
  const answer = await fetch(page.dataset.now).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  for (const piece of [...fresh.content.children]) {
    const old = document.getElementById(piece.id);
    if (!old || old.outerHTML === piece.outerHTML || !isNew(old, piece)) continue;
    old.replaceWith(piece);
    if (piece.matches("form")) window.htmx.process(piece);
  }
}

if (page) {
  let timer = 0;
  const pending = () => page.querySelector("[data-pending=yes]");
  const next = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (!document.hidden) await refresh();
      next();
    }, pending() ? SOON_MS : EVERY_MS);
  };
  page.addEventListener("htmx:afterRequest", async () => {
    await refresh();
    next();
  });
  next();
}

// The question before a change names what would be set.
function filled(question, form) {
  return question.replace(/{(\w+)}/g, (whole, name) => {
    const field = form.elements[name];
    const word = form.querySelector(`[name=${name}]:checked`)?.dataset.word;
    return word || field?.value || whole;
  });
}

document.addEventListener("submit", (event) => {
  const { question } = event.target.dataset;
  if (question) event.target.setAttribute("hx-confirm", filled(question, event.target));
}, true);
