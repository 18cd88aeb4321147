// Binary frames of the live socket; the bytes are described in devices/live/frames.py.
export const CORES = 1, WALL_SNAPSHOT = 2, WALL_DELTA = 3, CONSOLE = 4;
export const REPLACE = 1;
const VERSION = 2, HEADER = 24;
const text = new TextDecoder();

// The frames of a message; null when they are of another version or cut short. The sequence of the
// last one is what the server wants acknowledged.
export function decode(buffer) {
  const view = new DataView(buffer), frames = [];
  for (let at = 0; at < buffer.byteLength || !frames.length;) {
    if (buffer.byteLength < at + HEADER || view.getUint8(at) !== VERSION) return null;
    const length = view.getUint32(at + 20, true);
    if (buffer.byteLength < at + HEADER + length) return null;
    frames.push({
      kind: view.getUint8(at + 1),
      flags: view.getUint16(at + 2, true),
      epoch: view.getUint32(at + 4, true),
      sequence: view.getUint32(at + 8, true),
      at: view.getFloat64(at + 12, true),
      payload: new DataView(buffer, at + HEADER, length),
    });
    at += HEADER + length;
  }
  return frames;
}

export function readCores(payload) {
  const hosts = new Map();
  let at = 0;
  while (at < payload.byteLength) {
    const length = payload.getUint8(at);
    const name = text.decode(bytes(payload, at + 1, length));
    at += 1 + length;
    const count = payload.getUint16(at, true);
    hosts.set(name, bytes(payload, at + 2, count));
    at += 2 + count;
  }
  return hosts;
}

// where the first of these bytes is in all that was said since the server began to listen
export function consoleOffset(payload) {
  return Number(payload.getBigUint64(0, true));
}

export function readConsole(payload) {
  return bytes(payload, 8, payload.byteLength - 8);
}

function bytes(view, at, length) {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}
