// Light, dark, or as the system has it; remembered.
const ORDER = ["auto", "dark", "light"];
const button = document.getElementById("theme");
const word = document.getElementById("theme-word");
const root = document.documentElement;

function show() {
  const theme = root.dataset.theme || "auto";
  if (!button) return;
  word.textContent = theme;
  button.setAttribute("aria-label", `Theme: ${theme}`);
}

export function nextTheme() {
  const theme = ORDER[(ORDER.indexOf(root.dataset.theme || "auto") + 1) % ORDER.length];
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch { /* not remembered, then */ }
  show();
}

button?.addEventListener("click", nextTheme);
show();
