// A device's console: appended as it speaks, following the end unless the reader scrolled away.
import { on } from "./bus.js";
import { CONSOLE, readConsole, REPLACE } from "./frames.js";

const MOST_CHARACTERS = 64 * 1024;
const screen = document.getElementById("console");

if (screen) {
  let decoder = new TextDecoder();
  const clean = (output) => output.replace(/\r\n?/g, "\n").replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  let shown = clean(screen.textContent);
  const follow = () => { screen.scrollTop = screen.scrollHeight; };
  screen.textContent = shown;
  follow();
  on("frame", (frame) => {
    if (frame.kind !== CONSOLE) return;
    const atEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 40;
    if (frame.flags & REPLACE) { shown = ""; decoder = new TextDecoder(); }
    shown = (shown + clean(decoder.decode(readConsole(frame.payload), { stream: true }))).slice(-MOST_CHARACTERS);
    screen.textContent = shown;
    if (atEnd) follow();
  });
}
