// The answers of a batch: a button that ends it, and a table that is sorted here.
element.setAttribute("role", "region");

element.addEventListener("click", (event) => {
  const end = event.target.closest("[data-stop]");
  if (end) {
    end.disabled = true;
    trigger("stop", { job: end.dataset.stop });
    return;
  }
  const head = event.target.closest("[data-sort]");
  if (head) sort(head);
});

function sort(head) {
  const cell = head.closest("th"), place = Number(head.dataset.sort);
  const falling = cell.getAttribute("aria-sort") === "ascending";
  for (const one of element.querySelectorAll("th[aria-sort]")) one.setAttribute("aria-sort", "none");
  cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const body = element.querySelector("tbody");
  const value = (row) => row.cells[place].dataset.value;
  const order = place === 1
    ? (one, other) => value(one).localeCompare(value(other), undefined, { numeric: true })
    : (one, other) => value(one) - value(other);
  body.append(...Array.from(body.rows).sort((one, other) => (falling ? -1 : 1) * order(one, other)));
}

watch("value", () => {
  // What changes twice a second is not read aloud; its end is.
  element.setAttribute("aria-live", element.querySelector(".ts-progress") ? "off" : "polite");
});
