// Whether the server answers, be it that this page is gone. It loads the page anew when that may be seen no more: an ended session
// or a revoked link looks like a server that is away, from a socket.
const ANSWERS_MS = 5000;

export async function knock() {
  const answer = await fetch(location.href, {
    method: "HEAD", redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(ANSWERS_MS),
  }).catch(() => null);
  if (answer && (answer.type === "opaqueredirect" || answer.status === 403)) location.reload();
  return answer !== null && answer.status < 500;
}
