// Pieces of the page that are asked for again, and replaced where the server says something else.
import { put } from "./renew.js";

const RETRY_MS = 3000;
const said = new Map(); // id -> the piece as the server gave it

// This address as it is now. `failed`: it is worth asking again.
async function fetched(address, headers) {
  try {
    const answer = await fetch(address, { headers });
    if (!answer.ok || answer.redirected) return { failed: answer.status >= 500 };
    const text = await answer.text();
    return { fresh: new DOMParser().parseFromString(text, "text/html") };
  } catch { return { failed: true }; }
}

// A function that asks for this address and hands the answer to `take`, once for several calls in a
// row: `settleMs` after the first of them, or as soon as one of them wants. What is called for while
// it asks is asked for afterwards, and so is what was not answered; `take` may say false: again.
export function asker(settleMs, take, headers = {}) {
  let timer = 0, due = 0, busy = false, again = false, passed = false;

  function plan(waitMs) {
    const at = performance.now() + waitMs;
    if (timer && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(ask, waitMs);
  }

  async function ask() {
    const address = location.href;
    timer = 0;
    busy = true;
    again = false;
    let { fresh, failed } = await fetched(address, headers);
    try {
      if (fresh && location.href !== address) again = true;
      else if (fresh && again && !passed) passed = true; // older than what the page was told meanwhile
      else if (fresh) {
        passed = false;
        failed = await take(fresh) === false;
      }
    } finally { busy = false; }
    if (failed || again) plan(failed ? RETRY_MS : settleMs);
  }

  return (waitMs = settleMs) => {
    if (busy) again = true;
    else plan(waitMs);
  };
}

function replace(id, fresh) {
  const piece = fresh.getElementById(id);
  if (!piece || !document.getElementById(id) || said.get(id) === piece.outerHTML) return;
  said.set(id, piece.outerHTML);
  put(piece);
}

// An asker for the pieces of these ids; `done` is called whenever they have come.
export function refresher(ids, settleMs, done = () => {}) {
  for (const id of ids) {
    const piece = document.getElementById(id);
    if (piece) said.set(id, piece.outerHTML);
  }
  return asker(settleMs, (fresh) => {
    for (const id of ids) replace(id, fresh);
    done();
  });
}
