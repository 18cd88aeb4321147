// A press is done once: the same button does nothing while its answer is awaited, and what is pressed
// again because no answer came is the same wish, with the same key. After an answer it is a new one.
const KEPT_MS = 10 * 60_000;
const keys = new Map(); // path and parameters -> the key they are asked for with, and since when
const underWay = new WeakSet();

function wish({ path, formData }) {
  return `${path}?${new URLSearchParams([...formData].map(([name, value]) => [name, String(value)]))}`;
}

function keyOf(meant) {
  const known = keys.get(meant);
  if (known && performance.now() - known.since < KEPT_MS) return known.key;
  const key = crypto.randomUUID?.() || `${Date.now()}-${Math.random()}`;
  keys.set(meant, { key, since: performance.now() });
  return key;
}

// Whether what was asked is granted, of an event after a request: htmx takes a refusal for a success,
// for its sentence is shown.
export const granted = ({ detail }) => Boolean(detail.successful) && detail.xhr.status < 400;

document.addEventListener("htmx:confirm", (event) => {
  if (event.detail.verb !== "post" || !underWay.has(event.detail.elt)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
});
document.addEventListener("htmx:configRequest", (event) => {
  const { verb, headers } = event.detail;
  if (verb === "post") headers["Idempotency-Key"] = keyOf(wish(event.detail));
});
document.addEventListener("htmx:beforeSend", (event) => {
  if (event.detail.requestConfig.verb === "post") underWay.add(event.detail.elt);
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { requestConfig, xhr } = event.detail;
  underWay.delete(requestConfig.elt);
  if (requestConfig.verb === "post" && xhr.status && xhr.status < 500) keys.delete(wish(requestConfig));
});
