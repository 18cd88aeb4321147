// What is chosen is said in a filter's closed box, and an open one closes when it is left.
const MOST_NAMED = 2;

function say(facet) {
  const chosen = [...facet.querySelectorAll("input:checked")].map((box) => box.parentElement.textContent.trim());
  facet.querySelector("summary b").textContent = !chosen.length
    ? facet.dataset.none
    : chosen.length > MOST_NAMED ? `${chosen.length} chosen` : chosen.join(", ");
}

function close(but) {
  for (const facet of document.querySelectorAll(".facet[open]")) if (facet !== but) facet.open = false;
}

document.addEventListener("change", (event) => {
  const facet = event.target.closest?.(".facet");
  if (facet) say(facet);
});
document.addEventListener("click", (event) => close(event.target.closest?.(".facet")));
document.addEventListener("focusin", (event) => close(event.target.closest?.(".facet")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const facet = document.querySelector(".facet[open]");
  if (!facet) return;
  event.stopPropagation();
  facet.open = false;
  facet.querySelector("summary").focus();
}, true);
