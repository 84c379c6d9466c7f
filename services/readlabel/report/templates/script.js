"use strict";
// Sorting: a click on a column's head; variants without a model stay below.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" || (!head.hasAttribute("aria-sort") && head.dataset.first === "down");
      const sign = down ? -1 : 1;
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      const rows = [...body.rows].filter((row) => !("none" in row.dataset));
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = x === "" || y === "" || isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return sign * order || a.dataset.rank - b.dataset.rank;
      });
      body.prepend(...rows);
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  }
}
// Paper shows what is open.
for (const list of document.querySelectorAll(".variants")) {
  const variants = list.querySelectorAll(":scope > details");
  if (variants.length < 2) continue;
  const button = document.createElement("button");
  const shut = () => [...variants].some((part) => !part.open);
  const name = () => { button.textContent = shut() ? "open all" : "close all"; };
  button.type = "button";
  button.addEventListener("click", () => { const open = shut(); for (const part of variants) part.open = open; });
  for (const part of variants) part.addEventListener("toggle", name);
  name();
  list.previousElementSibling.append(button);
}
// A link to a variant opens it.
const reveal = () => document.querySelector(`details[id="${CSS.escape(decodeURIComponent(location.hash.slice(1)))}"]`)?.setAttribute("open", "");
addEventListener("hashchange", reveal);
reveal();
