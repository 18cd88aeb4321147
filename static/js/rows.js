// Tells the server which devices are on the screen, and hears of no others.
import { on, tell } from "./bus.js";

function slots() {
  return [...document.querySelectorAll("[data-slot]")].map((row) => Number(row.dataset.slot)).slice(0, 100);
}

function ask() {
  if (document.getElementById("listing") || document.querySelector(".device")) tell("send", { rows: slots() });
}

on("open", ask);
document.addEventListener("htmx:afterSwap", ask);
