"use strict";
/* Sorts the table by a click on a header, and filters its lines. Without it, the page shows all lines by rank. */
(() => {
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const lines = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const query = document.getElementById("query");
  const status = document.getElementById("status");

  const valueOf = (line, column) => {
    const value = line.cells[column].dataset.value;
    const number = Number(value);
    return value !== "" && !Number.isNaN(number) ? number : value;
  };

  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0;
  };

  /* Lines without a value come last, whatever the direction; equal ones stay in the order of their ranks. */
  const sort = (column, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    const pairs = lines.map((line, place) => ({ line, place, value: valueOf(line, column) }));
    pairs.sort((one, other) => (one.value === "") - (other.value === "")
      || sign * compare(one.value, other.value) || one.place - other.place);
    body.append(...pairs.map((pair) => pair.line));
    heads.forEach((head, at) => at === column ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort"));
  };

  const filter = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const line of lines) line.hidden = !words.every((word) => line.dataset.text.includes(word));
    const left = lines.filter((line) => !line.hidden).length;
    status.textContent = words.length ? `${left} of ${lines.length} lines` : "";
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const turned = now === "ascending" ? "descending" : "ascending";
      sort(column, now ? turned : head.dataset.first);
    });
  });
  query.form.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", filter);
  query.form.hidden = false;
  filter();
  document.documentElement.dataset.ready = "";
})();
