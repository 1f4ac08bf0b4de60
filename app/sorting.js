// Sorts a table by the column whose heading is pressed; pressed again, the other way round. Rows left out go last.
const text = (cell) => cell?.dataset.value ?? cell?.textContent; // a number as it is, not as a language writes it
element.addEventListener("click", (event) => {
  const button = event.target.closest("table.sortable thead button");
  if (!button) return;
  const heading = button.parentElement, column = heading.cellIndex, body = heading.closest("table").tBodies[0];
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const rows = [...body.rows].map((row) => ({ row, text: text(row.cells[column]), out: row.cells.length < 3 }));
  const numeric = rows.every(({ text, out }) => out || (text !== undefined && text !== "" && isFinite(text)));
  rows.sort((a, b) => {
    if (a.out !== b.out && column > 0) return a.out ? 1 : -1;
    const order = numeric && column > 0 && !a.out ? a.text - b.text : names.compare(a.text ?? "", b.text ?? "");
    return down ? -order : order;
  });
  body.append(...rows.map(({ row }) => row));
});
