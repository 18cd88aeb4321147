"""What tests have a page do that a browser does by itself only when something befalls it."""

from __future__ import annotations

# the tab is hidden, or shown again
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# To be run before the page's own scripts. `lines` are the sockets it made. One whose `deaf` is set
# goes dead as one does whose radio link is gone: nothing comes, nobody closes it. While `away` is
# set attempts are refused, and after `lost` the next one gets no answer at all.
LINES = """
const Real = WebSocket;
window.lines = [];
class Unanswered extends EventTarget {
  readyState = Real.CONNECTING;
  close() { this.readyState = Real.CLOSED; this.onclose({ code: 1006 }); }
}
window.WebSocket = class extends Real {
  constructor(address, ...given) {
    if (window.lost) {
      window.lost = false;
      const unanswered = new Unanswered();
      window.lines.push(unanswered);
      return unanswered;
    }
    super(window.away ? new URL("/nowhere/", address).href : address, ...given);
    window.lines.push(this);
  }
  addEventListener(kind, hear) {
    super.addEventListener(kind, (event) => { if (!this.deaf) hear(event); });
  }
  send(message) { if (!this.deaf) super.send(message); }
};
"""
