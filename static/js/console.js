// A device's console: what it says, and, for who asked, what is typed to it.
import { on, tell } from "./bus.js";
import { CONSOLE, consoleOffset, readConsole, REPLACE } from "./frames.js";
import { openTerminal, ROWS } from "./terminal.js";

const MOST_KEYS = 1024, KEYS_EVERY_MS = 150; // as much as the server takes of a pasted text
const NOTHING = "\x1b[2mNothing said yet.\x1b[0m";
const panel = document.getElementById("console-panel");

if (panel) {
  const box = document.getElementById("console");
  const button = document.getElementById("console-type");
  // this page among those of the same person
  const me = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const before = []; // frames that came before the terminal was there
  let terminal = null;
  let asked = false, typing = false, connected = false;
  let epoch = 0, end = 0, empty = false;
  let keys = "", timer = 0;

  function show(frame) {
    if (!terminal) { before.push(frame); return; }
    const offset = consoleOffset(frame.payload), output = readConsole(frame.payload);
    if (frame.flags & REPLACE || empty) terminal.reset();
    if (frame.flags & REPLACE && frame.epoch === epoch && end && offset > end) {
      terminal.write(`… ${Math.ceil((offset - end) / 1024)} KiB left out …\r\n`);
    }
    epoch = frame.epoch;
    end = offset + output.length;
    empty = !end;
    terminal.write(empty ? NOTHING : output);
  }

  function say(sentence) {
    document.getElementById("console-word").textContent = sentence;
  }

  function begin() {
    if (!connected || !terminal) { say("There is no connection. Try again when it is back."); return; }
    asked = true;
    tell("send", { typing: me });
  }

  function stop() {
    asked = false;
    tell("send", { typing: "" });
    follow();
    button.focus();
  }

  // who types is in the page, for it is the server that says so
  function follow() {
    const who = document.getElementById("console-typist");
    const was = typing;
    typing = asked && connected && who.dataset.by === me;
    if (was && !typing) { asked = false; keys = ""; }
    button.textContent = typing ? "Stop typing" : who.dataset.user && who.dataset.by !== me ? "Take over" : "Type";
    panel.classList.toggle("typing", typing);
    if (!terminal || was === typing) return;
    terminal.options.disableStdin = terminal.textarea.readOnly = !typing;
    box.querySelector(".live-region")?.setAttribute("aria-live", typing ? "assertive" : "off");
    if (!typing) return;
    terminal.focus();
    box.scrollIntoView({ block: "nearest" });
  }

  function send() {
    timer = 0;
    if (!typing || !keys) return;
    tell("send", { keys: keys.slice(0, MOST_KEYS) });
    keys = keys.slice(MOST_KEYS);
    if (keys) timer = setTimeout(send, KEYS_EVERY_MS);
  }

  const SCROLLS = {
    ArrowUp: () => terminal.scrollLines(-1), ArrowDown: () => terminal.scrollLines(1),
    PageUp: () => terminal.scrollLines(1 - ROWS), PageDown: () => terminal.scrollLines(ROWS - 1),
    Home: () => terminal.scrollToTop(), End: () => terminal.scrollToBottom(),
  };

  // false: the key is not for the device
  function isForTheDevice(event) {
    if (typing) {
      if (event.key !== "Escape" || event.ctrlKey || event.altKey) return true;
      if (event.type === "keydown") stop();
    } else if (event.type === "keydown" && SCROLLS[event.key]) {
      event.preventDefault();
      SCROLLS[event.key]();
    }
    return false;
  }

  on("frame", (frame) => { if (frame.kind === CONSOLE) show(frame); });
  on("html", follow);
  on("connection", (word) => { connected = word === "live"; follow(); });
  button.addEventListener("click", () => { if (typing) stop(); else begin(); });
  openTerminal(box, [panel.dataset.terminal, panel.dataset.renderer]).then((made) => {
    terminal = made;
    terminal.textarea.readOnly = true; // no keyboard on a phone's screen for who only looks
    terminal.attachCustomKeyEventHandler(isForTheDevice);
    terminal.onData((data) => { keys += data; if (!timer) send(); });
    for (const frame of before.splice(0)) show(frame);
    follow();
  }, () => say("The terminal could not be loaded. Load the page again."));
}
