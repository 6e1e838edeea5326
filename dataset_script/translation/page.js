// Hides the rows that do not hold what is typed into the box, and the tables of which none is left.
const box = document.getElementById("filter");
const found = document.getElementById("found");

function filter() {
  const wanted = box.value.trim().toLowerCase();
  let count = 0;
  for (const body of document.querySelectorAll("tbody.turns")) {
    let left = 0;
    for (const row of body.rows) {
      const holds = row.textContent.toLowerCase().includes(wanted);
      row.hidden = !holds;
      left += holds;
    }
    body.closest("section.block").hidden = left === 0;
    count += left;
  }
  found.textContent = wanted ? `${count} line(s)` : "";
}

let waiting;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 150);
});
