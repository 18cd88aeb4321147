// Copy what is shown, as it is shown.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const shown = document.getElementById(button.dataset.copy);
  const word = button.textContent;
  try {
    await navigator.clipboard.writeText(shown.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown); // no clipboard without TLS: selected, at least
    button.textContent = "Selected, press Ctrl C";
  }
  setTimeout(() => { button.textContent = word; }, 2000);
});
