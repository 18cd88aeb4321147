// What the charts of history show, as a table: equal parts of what is seen, the newest first.
import { FORMS, clock, day } from "./forms.js";

const ROWS = 30;
const details = document.getElementById("history-details");
const head = document.getElementById("history-table-head");
const body = document.getElementById("history-table");

const figures = () => [...document.querySelectorAll(".legend [data-figure]")].map((item) => ({
  name: item.dataset.figure, form: FORMS[item.dataset.form],
  words: `${item.closest("section").querySelector("h2").firstChild.textContent.trim()}, ${item.childNodes[1].textContent.trim()}`,
}));

function mean(values, from, to) {
  let sum = 0, count = 0;
  for (let i = from; i < to; i += 1) if (values?.[i] != null) { sum += values[i]; count += 1; }
  return count ? sum / count : null;
}

export function fillTable({ at, columns, step }, from, to) {
  if (!details.open) return;
  const wanted = figures();
  const titles = document.createElement("tr");
  for (const text of ["Time", ...wanted.map(({ words }) => words)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    titles.append(cell);
  }
  head.replaceChildren(titles);
  const first = at.findIndex((t) => t >= from);
  const past = at.findLastIndex((t) => t <= to) + 1;
  const part = Math.max(1, Math.ceil((past - first) / ROWS));
  const rows = [];
  for (let i = first; first >= 0 && i < past; i += part) {
    const row = document.createElement("tr"), when = document.createElement("th");
    when.scope = "row";
    when.textContent = `${step >= 60 ? `${day(at[i])} ` : ""}${clock(at[i], step < 60)}`;
    row.append(when);
    for (const { name, form } of wanted) {
      const value = mean(columns[name]?.mean, i, Math.min(i + part, past));
      row.insertCell().textContent = value === null ? "–" : form(value);
    }
    rows.unshift(row);
  }
  body.replaceChildren(...rows);
}
