// One act on the selected devices: counted, asked about, sent.
import { on } from "./bus.js";
import { ask } from "./confirm.js";
import { granted } from "./presses.js";
import { clear, selectAll, selection } from "./selection.js";
import { toast } from "./toasts.js";

const bar = document.getElementById("bulk");
const told = document.getElementById("bulk-told");
const more = document.getElementById("bulk-all");
const tagging = document.getElementById("tagging");
const number = (count) => count.toLocaleString("en");
let busy = false; // one act at a time
const devices = (count) => (count === 1 ? "1 device" : `${number(count)} devices`);

function show({ all, serials, total, wholePage }) {
  bar.hidden = !all && !serials.length;
  document.body.classList.toggle("has-selection", !bar.hidden);
  told.textContent = all ? `All ${number(total)} that match` : `${number(serials.length)} selected`;
  more.hidden = all || !wholePage || total <= serials.length;
  more.textContent = `Select all ${number(total)} that match`;
}

// All that match now, which is not what matched when the page was drawn.
async function counted(query) {
  const answer = await fetch(`/devices/count${query && `?${query}`}`).catch(() => null);
  if (answer?.ok && !answer.redirected) return Number(await answer.text());
  toast("The server did not say how many devices match. Nothing was done; try again.", "error");
  return null;
}

async function begin(button) {
  const { all, serials, query } = selection();
  const count = all ? await counted(query) : serials.length;
  if (count === null) return;
  const { kind, verb, detail } = button.dataset;
  const meant = all ? { matching: query, confirmed: count } : { serials: serials.join(",") };
  const named = all ? `all ${devices(count)} that match` : devices(count);
  if (kind === "tag") {
    const tags = await askTags(`Tag ${named}?`);
    if (tags) await send({ kind, ...meant, ...tags });
  } else if (await ask({ question: `${verb} ${named}?`, detail, yes: verb })) await send({ kind, ...meant });
}

async function act(button) {
  if (busy) return;
  busy = true;
  try { await begin(button); } finally { busy = false; }
}

function askTags(question) {
  tagging.querySelector("h2").textContent = question;
  tagging.querySelector("form").reset();
  tagging.returnValue = "no";
  tagging.showModal();
  return new Promise((resolve) => {
    tagging.addEventListener("close", () => {
      const given = new FormData(tagging.querySelector("form"));
      resolve(tagging.returnValue === "yes" ? { add: given.get("add"), remove: given.get("remove") } : null);
    }, { once: true });
  });
}

// Until the answer is there, or none came, which a toast says.
function send(values) {
  return window.htmx.ajax("POST", "/devices/act", { source: bar, target: "#toasts", swap: "beforeend", values })
    .catch(() => {});
}

if (bar) {
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.kind) act(button);
    else if (button === more) selectAll();
    else if (button) clear();
  });
  bar.addEventListener("htmx:afterRequest", (event) => {
    if (!granted(event)) return;
    clear();
    if (event.detail.requestConfig.parameters.kind !== "tag") return; // states follow by themselves
    const address = location.pathname + location.search;
    window.htmx.ajax("GET", address, { target: "#listing", swap: "outerHTML" });
  });
  on("selection", show);
  show(selection());
}
