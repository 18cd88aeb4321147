// Pieces of the page that are asked for again, and replaced where the server says something else.
const said = new Map(); // id -> the piece as the server gave it

function remember(root, ids) {
  for (const id of ids) {
    const piece = root.getElementById(id);
    if (piece) said.set(id, piece.outerHTML);
  }
}

function replace(id, fresh) {
  const old = document.getElementById(id), piece = fresh.getElementById(id);
  if (!old || !piece || said.get(id) === piece.outerHTML) return;
  said.set(id, piece.outerHTML);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(piece);
  window.htmx.process(piece);
  if (focused) document.getElementById(focused)?.focus();
}

// A function that asks for the pieces of these ids, once for several calls in a row: `settleMs`
// after the first of them, and not sooner than that after the last answer.
export function refresher(ids, settleMs, done = () => {}) {
  let timer = 0;
  remember(document, ids);
  async function refresh() {
    const address = location.href;
    const answer = await fetch(address).catch(() => null);
    timer = 0;
    if (!answer?.ok || answer.redirected || location.href !== address) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) replace(id, fresh);
    done();
  }
  return () => { timer ||= setTimeout(refresh, settleMs); };
}
