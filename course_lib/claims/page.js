/* Filters and sorts the ledger that this script stands in. Without it the table is whole. */
(function (box) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const controls = box.querySelector(".am-controls");
  const filters = Array.from(controls.querySelectorAll("select"));
  const status = controls.querySelector("[role=status]");
  // In the book they may be in another language, by book/_static/say.js.
  const texts = typeof Say === "undefined" ? (given) => given : Say.texts;
  const SAY = texts({ counted: "{shown} of {all} claims" });

  function apply() {
    let shown = 0;
    rows.forEach(function (row) {
      const fits = filters.every(function (filter) {
        return !filter.value || row.dataset[filter.dataset.filter] === filter.value;
      });
      row.classList.toggle("am-off", !fits);
      shown += fits;
    });
    status.textContent = SAY.counted.replace("{shown}", shown).replace("{all}", rows.length);
  }

  function sort(header, direction) {
    const key = header.dataset.sort;
    const sign = direction === "ascending" ? 1 : -1;
    function order(one, other) {
      const a = one.dataset[key], b = other.dataset[key];
      const differ = key === "claim" ? a.localeCompare(b) : Number(a) - Number(b);
      const clearer = key === "verdict" ? other.dataset.strength - one.dataset.strength : 0;
      return sign * differ || clearer || one.dataset.place - other.dataset.place;
    }
    rows.slice().sort(order).forEach(function (row) { body.append(row); });
    table.querySelectorAll("th[aria-sort]").forEach(function (other) {
      other.setAttribute("aria-sort", other === header ? direction : "none");
    });
  }

  function showAll() {
    filters.forEach(function (filter) { filter.value = ""; });
    apply();
  }

  table.querySelectorAll("th[data-sort]").forEach(function (header) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", function () {
      const up = header.getAttribute("aria-sort") !== "ascending";
      sort(header, up ? "ascending" : "descending");
    });
    header.replaceChildren(button);
    header.setAttribute("aria-sort", header.dataset.sort === "chapter" ? "ascending" : "none");
  });
  filters.forEach(function (filter) { filter.addEventListener("change", apply); });
  controls.querySelector("button").addEventListener("click", showAll);
  function follow() {
    const chapter = /^#chapter-(\d\d)$/.exec(location.hash);
    if (chapter) {
      showAll();
      filters.find(function (one) { return one.dataset.filter === "chapter"; }).value = chapter[1];
      apply();
      box.scrollIntoView();
    }
    const row = rows.find(function (one) { return "#" + one.id === location.hash; });
    if (row && row.classList.contains("am-off")) { showAll(); row.scrollIntoView(); }
  }
  window.addEventListener("hashchange", follow);
  controls.hidden = false;
  apply();
  follow();
})(document.currentScript.parentElement);
