// What the parts of the page tell each other.
const bus = new EventTarget();

export function on(name, listener) {
  bus.addEventListener(name, (event) => listener(event.detail));
}

export function tell(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}
