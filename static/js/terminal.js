// A device's terminal: xterm.js with as many columns and rows for everybody who watches, so that all
// see the same and the device need not know who looks. It is painted on canvases: xterm's other
// renderer writes style elements, which the page's policy forbids, and is never made when this one
// is there before the terminal opens. What is on the screen is there as text for screen readers.
export const COLUMNS = 80, ROWS = 24;
const SCROLLBACK = 5000; // lines; more than 64 KiB of output fill
const FAMILY = '"Atkinson Mono", ui-monospace, monospace';
const LEAST_PX = 10, MOST_PX = 15;
const SCROLL_BAR_PX = 16;

// Makes one in `box`; `scripts` are the addresses of xterm.js and of its canvas renderer.
export async function openTerminal(box, scripts) {
  await Promise.all([
    ...scripts.map((script) => import(script)),
    document.fonts.load(`${MOST_PX}px "Atkinson Mono"`).catch(() => { /* the next family, then */ }),
  ]);
  const terminal = new globalThis.Terminal({
    cols: COLUMNS, rows: ROWS, scrollback: SCROLLBACK, disableStdin: true, screenReaderMode: true,
    fontFamily: FAMILY, fontSize: size(box), cursorInactiveStyle: "none",
    theme: { background: "#070b0d", foreground: "#d5e3df", cursor: "#46d9a3" },
    linkHandler: { activate() { /* what a device says leads nowhere */ } },
  });
  neverAnswer(terminal.parser);
  terminal.loadAddon(new globalThis.CanvasAddon.CanvasAddon());
  terminal.open(box);
  box.querySelector(".live-region")?.setAttribute("aria-live", "off"); // a device talks too much
  new ResizeObserver(() => {
    const wanted = size(box);
    if (wanted !== terminal.options.fontSize) terminal.options.fontSize = wanted;
  }).observe(box);
  return terminal;
}

// The largest letters with which all columns fit; a narrow screen scrolls sideways.
function size(box) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `100px ${FAMILY}`;
  const width = pen.measureText("m").width / 100;
  const fitting = (box.clientWidth - SCROLL_BAR_PX) / (COLUMNS * width);
  return Math.max(LEAST_PX, Math.min(MOST_PX, Math.floor(fitting * 2) / 2));
}

// A device may ask a terminal where its cursor is or what it is. Several watch, and the question may
// be hours old: none of them types an answer.
function neverAnswer(parser) {
  const silent = () => true;
  for (const id of [
    { final: "n" }, { prefix: "?", final: "n" }, { final: "t" },
    { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" },
    { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
  ]) parser.registerCsiHandler(id, silent);
  parser.registerDcsHandler({ intermediates: "$", final: "q" }, silent);
  for (const colour of [4, 10, 11, 12]) parser.registerOscHandler(colour, silent);
}
