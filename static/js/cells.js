// The wall as the server tells it: a state and a load for each place. The bytes are described in
// devices/live/cells.py.
import { WALL_DELTA, WALL_SNAPSHOT } from "./frames.js";

const SOME = 1, ALL = 2, TOP = 15;
// the byte (0–255 of a core) that each of the sixteen steps of load stands for
const LOAD = Uint8Array.from({ length: TOP + 1 }, (_, level) => Math.round(255 * (level / TOP) ** 2));

export class Cells {
  states = new Uint8Array(64);
  loads = new Uint8Array(64);
  places = 0; // those beyond are empty
  epoch = 0;
  held = 0;

  // Takes a frame. Gives false when it does not follow what is held: ask for a snapshot. `moved` is
  // called with slot, state before and state now for each place that changed its state.
  take(frame, moved) {
    if (frame.kind !== WALL_SNAPSHOT && frame.kind !== WALL_DELTA) return true;
    const bytes = new Uint8Array(frame.payload.buffer, frame.payload.byteOffset, frame.payload.byteLength);
    if (frame.kind === WALL_SNAPSHOT) this.#replace(bytes, moved);
    else {
      const base = frame.payload.getUint32(0, true);
      if (frame.epoch !== this.epoch || base !== this.held) return false;
      this.#apply(bytes, moved);
    }
    this.epoch = frame.epoch;
    this.held = frame.sequence;
    return true;
  }

  #replace(bytes, moved) {
    const before = this.states, count = this.places;
    this.states = new Uint8Array(before.length);
    this.loads = new Uint8Array(before.length);
    this.places = 0;
    this.#apply(bytes);
    if (!moved) return;
    for (let slot = 0; slot < Math.max(count, this.places); slot += 1) {
      const was = before[slot] || 0;
      if (was !== this.states[slot]) moved(slot, was, this.states[slot]);
    }
  }

  #apply(bytes, moved) {
    let at = 4;
    const number = () => {
      let value = 0, shift = 0, byte;
      do { byte = bytes[at++]; value |= (byte & 127) << shift; shift += 7; } while (byte > 127);
      return value;
    };
    const places = number();
    this.#grow(places);
    let slot = 0;
    for (let runs = number(); runs; runs -= 1) {
      slot += number();
      const word = number(), state = word & 15;
      const end = slot + (word >>> 4) + 1;
      this.#grow(end);
      for (; slot < end; slot += 1) {
        const was = this.states[slot];
        this.states[slot] = state;
        if (!state) this.loads[slot] = 0;
        if (moved && was !== state) moved(slot, was, state);
      }
    }
    const form = bytes[at++];
    if (form === SOME) {
      slot = 0;
      for (let count = number(); count; count -= 1) {
        const word = number();
        slot += word >>> 4;
        this.loads[slot++] = LOAD[word & 15];
      }
    } else if (form === ALL) {
      for (slot = 0; slot < places; slot += 2) {
        const pair = bytes[at++];
        this.loads[slot] = LOAD[pair >> 4];
        this.loads[slot + 1] = LOAD[pair & 15];
      }
    }
    this.places = places;
  }

  #grow(places) {
    if (places < this.states.length) return;
    const size = Math.max(places + 1, this.states.length * 2);
    for (const name of ["states", "loads"]) {
      const larger = new Uint8Array(size);
      larger.set(this[name]);
      this[name] = larger;
    }
  }
}
