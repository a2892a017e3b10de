// Filters and orders the rows of the ledger. Without scripts the whole table is there.
const start = () => {
  const form = document.querySelector(".ledger-filters");
  if (!form) return;
  const body = document.querySelector(".ledger > table > tbody");
  const rows = [...body.children];
  const said = form.querySelector("output");

  const matches = (row, wanted) =>
    wanted.words.every((word) => row.dataset.words.includes(word)) &&
    ["kind", "part", "verdict"].every((key) => !wanted[key] || row.dataset[key] === wanted[key]);

  const orders = {
    "": () => 0,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
    seconds: (a, b) => b.dataset.seconds - a.dataset.seconds,
    seeds: (a, b) => a.dataset.seeds - b.dataset.seeds,
  };

  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    wanted.words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => { row.hidden = !matches(row, wanted); });
    body.append(...rows.toSorted(orders[wanted.order]));
    const count = rows.filter((row) => !row.hidden).length;
    said.textContent = count === 1 ? "1 claim" : `${count} claims`;
  };

  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
};
document.addEventListener("DOMContentLoaded", start);
