// New pieces of the page come in: focus stays, and nothing is taken from under a finger.
import { tell } from "./bus.js";

const PRESSED = "a:active, button:active";
const ASKS = "[hx-get], [hx-post]";
const CLICKED_MS = 100; // a touch's click comes a moment after its pointer is up
const held = new Map(); // id -> the newest of a piece that waits until the press is over

// Puts a piece in the place of the element of the same id, if the page has one.
export function put(piece) {
  const old = document.getElementById(piece.id);
  if (!old) return; // the page has moved on
  for (const waiting of held.values()) {
    waiting.querySelector(`#${CSS.escape(piece.id)}`)?.replaceWith(piece.cloneNode(true));
  }
  if (old.querySelector(PRESSED)) { held.set(piece.id, piece); return; }
  held.delete(piece.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(piece);
  if (piece.matches(ASKS) || piece.querySelector(ASKS)) window.htmx.process(piece);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function release() {
  for (const piece of [...held.values()]) put(piece);
  tell("html");
}

for (const over of ["pointerup", "pointercancel", "keyup"]) {
  document.addEventListener(over, () => { if (held.size) setTimeout(release, CLICKED_MS); });
}
