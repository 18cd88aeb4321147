// Copy what is shown, as it is shown.
const SAID_MS = 2000;
const said = new WeakMap(); // button -> its own word, and when that comes back

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const shown = document.getElementById(button.dataset.copy);
  const { word, timer } = said.get(button) ?? { word: button.textContent };
  clearTimeout(timer);
  try {
    await navigator.clipboard.writeText(shown.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown); // no clipboard without TLS: selected, at least
    button.textContent = "Selected, press Ctrl C";
  }
  const back = () => {
    said.delete(button);
    button.textContent = word;
  };
  said.set(button, { word, timer: setTimeout(back, SAID_MS) });
});
