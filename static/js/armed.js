// Stage mode: for half an hour the big buttons ask no question. Of this tab only.
const ARMED_MS = 30 * 60_000;
const box = document.getElementById("armed");
const left = document.getElementById("armed-left");

function until() {
  try { return Number(sessionStorage.getItem("armed") || 0); } catch { return 0; }
}

export const armed = () => Boolean(box?.checked) && Date.now() < until();

function show() {
  const minutes = Math.ceil((until() - Date.now()) / 60_000);
  box.checked = minutes > 0;
  document.body.classList.toggle("is-armed", minutes > 0);
  left.textContent = minutes > 0 ? `for ${minutes} more minutes` : "";
}

if (box) {
  box.addEventListener("change", () => {
    try { sessionStorage.setItem("armed", String(box.checked ? Date.now() + ARMED_MS : 0)); } catch { box.checked = false; }
    show();
  });
  setInterval(show, 20_000);
  show();
}
