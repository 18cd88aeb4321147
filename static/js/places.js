// What the wall knows: a state and a load level for each place, as the frames tell it.
// Tells "places" with the slots that changed, and how they were, or null at first.
import { on, tell } from "./bus.js";
import { Cells } from "./cells.js";
import { WALL_DELTA, WALL_SNAPSHOT } from "./frames.js";

export const LEVELS = 16;
export const wall = { states: new Uint8Array(0), levels: new Uint8Array(0) };
const cells = new Cells();
let begun = false;

// a byte of load (0–255 of a core) as one of sixteen steps that widen as the square root does
const LEVEL_OF = Uint8Array.from({ length: 256 }, (_, byte) => Math.round((LEVELS - 1) * Math.sqrt(byte / 255)));
export const shareOf = (level) => (level / (LEVELS - 1)) ** 2;

// One more than the last place that holds a device.
export const occupied = () => cells.places;

function grow(size) {
  for (const name of ["states", "levels"]) {
    const larger = new Uint8Array(size);
    larger.set(wall[name]);
    wall[name] = larger;
  }
}

// What changed is found by looking: ten thousand places are looked at in a few microseconds.
function differences() {
  const { states, loads } = cells, changed = [];
  if (states.length > wall.states.length) grow(states.length);
  for (let slot = 0; slot < states.length; slot += 1) {
    const level = LEVEL_OF[loads[slot]], before = wall.states[slot];
    if (before === states[slot] && wall.levels[slot] === level) continue;
    wall.states[slot] = states[slot];
    wall.levels[slot] = level;
    changed.push({ slot, before });
  }
  return changed;
}

on("frame", (frame) => {
  if (frame.kind !== WALL_SNAPSHOT && frame.kind !== WALL_DELTA) return;
  if (!cells.take(frame)) { tell("send", { wall: "snapshot" }); return; }
  const changed = differences();
  tell("places", begun ? changed : null);
  begun = true;
});
