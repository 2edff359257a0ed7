"use strict";
/* Sorts the table by a click on a header, and filters its lines; mean and rank are of the lines that are shown.
   Without it, the page shows all lines, by rank. */
(() => {
  const RANK = 0, MEAN = 2;
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const lines = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const query = document.getElementById("query");
  const status = document.getElementById("status");
  const about = document.getElementById("about-mean");
  const aboutAll = about.textContent;
  const ofAll = lines.map((line) => [RANK, MEAN].map((column) => {
    return { value: line.cells[column].dataset.value, text: line.cells[column].textContent.trim() };
  }));
  let sorted = null;

  function put(line, column, { value, text }) {
    line.cells[column].dataset.value = value;
    line.cells[column].textContent = text;
  }

  function valueOf(line, column) {
    const value = line.cells[column].dataset.value;
    return value === "" || Number.isNaN(Number(value)) ? value : Number(value);
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0;
  }

  /* Lines without a value come last, whatever the direction; equal ones stay in the order of the page. */
  function sort(column, direction) {
    const sign = direction === "ascending" ? 1 : -1;
    const pairs = lines.map((line, place) => ({ line, place, value: valueOf(line, column) }));
    pairs.sort((one, other) => (one.value === "") - (other.value === "")
      || sign * compare(one.value, other.value) || one.place - other.place);
    body.append(...pairs.map((pair) => pair.line));
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", direction);
    sorted = { column, direction };
  }

  /* As evolray computes it: over the benchmarks that all have, each counted once. */
  function meanOf(line, columns) {
    const byBenchmark = new Map();
    for (const column of columns) {
      const { benchmark, times } = heads[column].dataset;
      byBenchmark.set(benchmark, [...byBenchmark.get(benchmark) ?? [], Number(times) * valueOf(line, column)]);
    }
    const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    return Number(mean([...byBenchmark.values()].map(mean)).toFixed(6));
  }

  function compute(shown) {
    const columns = [...heads.keys()].slice(MEAN + 1)
      .filter((column) => shown.every((line) => line.cells[column].dataset.value !== ""));
    const means = columns.length ? shown.map((line) => meanOf(line, columns)) : [];
    shown.forEach((line, at) => {
      const rank = 1 + means.filter((mean) => mean > means[at]).length;
      put(line, MEAN, means.length ? { value: means[at], text: means[at].toFixed(1) } : { value: "", text: "–" });
      put(line, RANK, means.length ? { value: rank, text: rank } : { value: "", text: "–" });
    });
    const titles = columns.map((column) => heads[column].dataset.title).join(", ");
    about.textContent = columns.length
      ? `The mean is over the benchmarks that every line shown has: ${titles}. Ranks go by it.`
      : "No benchmark has a result on every line shown, so there is neither a mean nor a rank.";
  }

  function restore() {
    about.textContent = aboutAll;
    lines.forEach((line, at) => [RANK, MEAN].forEach((column, which) => put(line, column, ofAll[at][which])));
  }

  function filter() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const line of lines) line.hidden = !words.every((word) => line.dataset.text.includes(word));
    const shown = lines.filter((line) => !line.hidden);
    restore();
    if (shown.length && shown.length < lines.length) compute(shown);
    if (sorted) sort(sorted.column, sorted.direction);
    status.textContent = words.length ? `${shown.length} of ${lines.length} lines` : "";
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, !now ? head.dataset.first : now === "ascending" ? "descending" : "ascending");
    });
  });
  query.form.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", filter);
  query.form.hidden = false;
  filter();
  document.documentElement.dataset.ready = "";
})();
