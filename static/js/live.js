// The one socket: htmx's extension keeps it connected, here is what goes through it.
// Text replaces elements by id; binary is a frame. Both are acknowledged, for the server
// sends no more than two that are not.
import { begun, ended, watch } from "./attempts.js";
import { on, tell } from "./bus.js";
import { decode } from "./frames.js";
import { knock } from "./knock.js";
import { put } from "./renew.js";

const root = document.getElementById("live");
const onWall = document.body.dataset.page === "wall";
const ASK_AFTER = 3; // attempts in vain: whether the page may be seen at all
let socket = null, keeper = null;
let failed = 0;

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// four bytes: the server deals with these before it looks at anything else
function acknowledge(sequence) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(Uint32Array.of(sequence));
}

function swap(html) {
  const pieces = document.createElement("template");
  pieces.innerHTML = html;
  for (const piece of [...pieces.content.children]) {
    // a wall leads nowhere
    if (onWall) for (const link of piece.querySelectorAll("a[href]")) link.removeAttribute("href");
    put(piece);
  }
}

function reloadOnce() {
  const last = Number(sessionStorage.getItem("reloaded") || 0);
  if (Date.now() - last < 120_000) return; // it did not help
  sessionStorage.setItem("reloaded", String(Date.now()));
  location.reload();
}

function receive(message) {
  if (message instanceof ArrayBuffer) {
    const frames = decode(message);
    if (!frames) { reloadOnce(); return; } // the server speaks a newer language
    for (const frame of frames) tell("frame", frame);
    acknowledge(frames.at(-1).sequence);
    return;
  }
  const found = /^<!--(\d+)-->/.exec(message);
  swap(message);
  tell("html");
  if (found) acknowledge(Number(found[1]));
}

// A dead socket may take minutes to notice that it is closed, and htmx would make another one then.
function reconnect() {
  if (!socket) return;
  socket.onclose = null;
  socket.close();
  socket = null;
  tell("connection", "lost");
  keeper.reconnect();
}

if (root) {
  watch();
  root.addEventListener("htmx:wsBeforeMessage", (event) => {
    event.preventDefault();
    receive(event.detail.message);
  });
  root.addEventListener("htmx:wsOpen", (event) => {
    failed = 0;
    begun();
    socket = event.detail.event.target;
    keeper = event.detail.socketWrapper;
    tell("connection", "live");
    tell("open");
  });
  root.addEventListener("htmx:wsClose", (event) => {
    socket = null;
    tell("connection", "lost");
    failed = (failed + 1) % ASK_AFTER;
    if (!failed) knock();
    ended(event.detail.event.code, event.detail.socketWrapper);
  });
  on("send", send);
  on("reconnect", reconnect);
}
