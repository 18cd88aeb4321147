// What was selected, kept in this tab over Back, Forward and Reload: for half an hour, and given back
// only to a list of the same devices for the same session. A list that is opened anew begins with none.
const NAME = "selection";
const FRESH_MS = 30 * 60_000;
const ANSWERS_MS = 10_000;
const RETURNS = ["back_forward", "reload"];

const came = () => performance.getEntriesByType("navigation")[0]?.type;
const meant = ({ session, query }) => `${session} ${query}`;

// Keeps these serials for the list with this data set; with none, nothing is kept any more.
export function keep(list, serials) {
  if (!serials.length) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, JSON.stringify({ list: meant(list), at: Date.now(), serials }));
}

// The serials that were kept for the list with this data set.
export function kept(list) {
  const found = JSON.parse(sessionStorage.getItem(NAME));
  if (!found || !RETURNS.includes(came()) || found.list !== meant(list)) return [];
  const ageMs = Date.now() - found.at;
  return ageMs >= 0 && ageMs < FRESH_MS ? found.serials : [];
}

// Which of these serials the list of this query has now; null when the server does not say.
export async function stillListed(serials, query) {
  const found = await fetch(`/devices/still-listed?${query}`, {
    method: "POST", headers: JSON.parse(document.body.getAttribute("hx-headers")),
    body: new URLSearchParams({ serials: serials.join(",") }), signal: AbortSignal.timeout(ANSWERS_MS),
  }).then((answer) => (answer.ok && !answer.redirected ? answer.json() : null)).catch(() => null);
  return found && found.serials;
}
