// The log of operations: what begins and ends is asked for again, and so are the outcomes of one
// that runs, now and then. How its devices are now comes by itself (rows.js), for those that are shown.
import { on, tell } from "./bus.js";
import { refresher } from "./pieces.js";

const SETTLE_MS = 300;
const OUTCOMES_MS = 2000; // a running operation of many devices changes all the time
const log = document.getElementById("log");
const one = document.querySelector(".one-operation");
const PIECES = ["operation-state", "operation-acts", "operation-progress", "outcomes"];

if (log || one) {
  const news = () => document.getElementById("operations-news")?.dataset.news;
  const progress = () => document.querySelector(".one-operation .progress")?.dataset.ended;
  let recheck = false;
  const refresh = refresher(log ? ["log"] : PIECES, SETTLE_MS, () => {
    recheck = false;
    tell("rechecked");
  });
  const refreshOutcomes = one && refresher(["outcomes"], OUTCOMES_MS, () => {
    if (!recheck) tell("rechecked");
  });
  let knownNews = news(), knownProgress = progress();
  on("html", () => {
    if (news() !== knownNews) {
      knownNews = news();
      refresh();
    }
    if (one && progress() !== knownProgress) {
      knownProgress = progress();
      refreshOutcomes();
    }
  });
  on("recheck", () => { recheck = true; refresh(0); });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig.verb === "post" && event.detail.successful) refresh();
  });
}
