// A device's cell as pixels, made once for each look and copied from then on.
import { STATES, tokens } from "./palette.js";
import { LEVELS } from "./places.js";

export const STEPS = 8; // of a fade
const ONLINE = STATES.indexOf("online");

export function rgb(colour) {
  const value = parseInt(colour.replace("#", ""), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function pixel([r, g, b]) {
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}

export function blend(from, to, share) {
  return from.map((part, i) => Math.round(part + (to[i] - part) * share));
}

const css = (colour) => `rgb(${colour.join(" ")})`;

// Idle is half way from the paper to the colour; a whole core is the hottest the theme has.
function glow(level, look) {
  const heat = level / (LEVELS - 1);
  const paper = rgb(look.paper), online = rgb(look.states[ONLINE]), hot = rgb(look.hot);
  return heat < 0.5
    ? blend(blend(paper, online, 0.5), online, heat * 2) : blend(online, hot, (heat - 0.5) * 2);
}

// States differ in shape as well as in colour; where there is no room for marks, in size.
function mark(pen, state, w, h, look) {
  const colour = look.states[STATES.indexOf(state)];
  const small = Math.min(w, h);
  pen.fillStyle = pen.strokeStyle = colour;
  if (small < 6) {
    const share = { requested: 0.4, spawning: 0.6, booting: 0.75, stopping: 0.5, powering_off: 0.5, off: 0.3 }[state] || 1;
    const a = Math.max(1, Math.round(w * share)), b = Math.max(1, Math.round(h * share));
    pen.fillRect(Math.floor((w - a) / 2), Math.floor((h - b) / 2), a, b);
    return;
  }
  const line = Math.max(1, Math.round(small * (state === "requested" ? 0.07 : 0.11)));
  pen.lineWidth = line;
  if (state !== "failed") pen.strokeRect(line / 2, line / 2, w - line, h - line);
  if (state === "booting" || state === "rebooting") pen.fillRect(0, Math.round(h / 2), w, h);
  else if (state === "spawning") pen.fillRect(w * 0.34, h * 0.34, w * 0.32, h * 0.32);
  else if (state === "updating") pen.fillRect(0, 0, w, Math.round(h * 0.4));
  else if (state === "stopping") pen.fillRect(w * 0.25, h * 0.25, w * 0.5, h * 0.5);
  else if (state === "powering_off") pen.fillRect(w * 0.3, Math.round(h * 0.6), w * 0.4, h * 0.4);
  else if (state === "off") pen.fillRect(w * 0.42, h * 0.2, w * 0.16, h * 0.4);
  else if (state === "offline") cross(pen, w, h, line, false);
  else if (state === "failed") {
    pen.fillRect(0, 0, w, h);
    pen.strokeStyle = look.paper;
    cross(pen, w, h, Math.max(1, line * 1.2), true);
  }
}

function cross(pen, w, h, line, both) {
  pen.lineWidth = line;
  pen.beginPath();
  pen.moveTo(w * 0.2, h * 0.2);
  pen.lineTo(w * 0.8, h * 0.8);
  if (both) { pen.moveTo(w * 0.8, h * 0.2); pen.lineTo(w * 0.2, h * 0.8); }
  pen.stroke();
}

// The cells of one size in one theme. `of` gives a cell's pixels; `fading` the same on its way
// from white heat (a birth) or into nothing (a death), at a step from 0 (just now) to STEPS - 1.
export function sprites(w, h) {
  const look = tokens();
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const made = new Map();
  const paper = rgb(look.paper), flash = rgb(look.flash), ember = rgb(look.ember);

  function draw(state, level) {
    pen.fillStyle = look.paper;
    pen.fillRect(0, 0, w, h);
    if (!state) {
      const dot = Math.max(1, Math.round(Math.min(w, h) * 0.16));
      pen.fillStyle = look.rule;
      pen.fillRect(Math.floor((w - dot) / 2), Math.floor((h - dot) / 2), dot, dot);
    } else if (state === ONLINE) {
      pen.fillStyle = css(glow(level, look));
      pen.fillRect(0, 0, w, h);
    } else mark(pen, STATES[state], w, h, look);
    return new Uint32Array(pen.getImageData(0, 0, w, h).data.buffer);
  }

  function of(state, level) {
    const key = state === ONLINE ? state * LEVELS + level : state * LEVELS;
    let found = made.get(key);
    if (!found) made.set(key, found = draw(state, level));
    return found;
  }

  function fading(state, level, step) {
    const key = 1000 * (step + 1) + (state === ONLINE ? state * LEVELS + level : state * LEVELS);
    let found = made.get(key);
    if (found) return found;
    const left = (1 - step / STEPS) ** 1.5;
    const target = state ? flash : ember;
    found = Uint32Array.from(of(state, level), (colour) => {
      const now = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
      return pixel(blend(now, target, left * (state ? 0.92 : 0.75)));
    });
    made.set(key, found);
    return found;
  }
  return { of, fading, paper: pixel(paper) };
}
