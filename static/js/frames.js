// Binary frames of the live socket; the bytes are described in devices/live/frames.py.
export const CORES = 1, WALL_SNAPSHOT = 2, WALL_DELTA = 3, CONSOLE = 4;
export const REPLACE = 1;
const VERSION = 1, HEADER = 20;
const text = new TextDecoder();

export function decode(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER || view.getUint8(0) !== VERSION) return null;
  return {
    kind: view.getUint8(1),
    flags: view.getUint16(2, true),
    epoch: view.getUint32(4, true),
    sequence: view.getUint32(8, true),
    at: view.getFloat64(12, true),
    payload: new DataView(buffer, HEADER),
  };
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

export function readWallSnapshot(payload) {
  const count = payload.getUint32(0, true);
  return { states: bytes(payload, 4, count), loads: bytes(payload, 4 + count, count) };
}

export function* readWallDelta(payload) {
  for (let at = 4; at + 6 <= payload.byteLength; at += 6) {
    yield [payload.getUint32(at, true), payload.getUint8(at + 4), payload.getUint8(at + 5)];
  }
}

export function deltaBase(payload) {
  return payload.getUint32(0, true);
}

export function readConsole(payload) {
  return bytes(payload, 8, payload.byteLength - 8);
}

function bytes(view, at, length) {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}
