// When a connection that ended is made anew. htmx's extension makes it after the closing codes that mean
// a server is away or wants it so; after any other, such as that of a refused word, it is made here.
import { knock } from "./knock.js";

const BY_EXTENSION = [1006, 1011, 1012, 1013];
const FIRST_MS = 1000, MOST_MS = 8000;
const MOST_REFUSED_MS = 60_000;
const STEADY_MS = 60_000; // a connection that held for so long was not refused
const OPENS_MS = 20_000; // the packets of an attempt that got no answer are sent ever more rarely
let opened = 0, refused = 0;

// How long to wait before the attempt after `n` in vain, in ms: spread, for all pages begin at once.
export const delay = (n) => Math.random() * Math.min(MOST_MS, FIRST_MS * 2 ** n);

// The same after `n` connections that the server ended for what was said.
export const refusedDelay = (n) => (0.5 + Math.random() / 2) * Math.min(MOST_REFUSED_MS, FIRST_MS * 2 ** n);

function attempt(address) {
  const made = new WebSocket(address);
  made.binaryType = window.htmx.config.wsBinaryType;
  setTimeout(() => { if (made.readyState === WebSocket.CONNECTING) made.close(); }, OPENS_MS);
  return made;
}

// A server that answers the first knock was there and has refused something. One that is away has not:
// it is knocked at until it is back, and that is the moment.
async function resume(keeper, vain = 0) {
  if (!await knock()) { setTimeout(resume, delay(vain), keeper, vain + 1); return; }
  if (vain) { keeper.reconnect(); return; }
  setTimeout(() => keeper.reconnect(), refusedDelay(refused));
  refused += 1;
}

// A connection is there.
export function begun() { opened = performance.now(); }

// A connection or an attempt has ended with this code; `keeper` is the extension's.
export function ended(code, keeper) {
  if (BY_EXTENSION.includes(code)) return;
  if (performance.now() - opened > STEADY_MS) refused = 0;
  resume(keeper);
}

// Has the extension keep to these times.
export function watch() {
  window.htmx.createWebSocket = attempt;
  window.htmx.config.wsReconnectDelay = delay;
}
