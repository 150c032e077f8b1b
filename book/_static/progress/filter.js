/* The page of all exercises: buttons that show some of them or order them otherwise, and a sign at
   those that are done. Without this script the whole table stands there, by chapter. */
"use strict";
document.addEventListener("DOMContentLoaded", function () {
  const SAY = Say.texts({
    difficulty: "Difficulty", skill: "Skill", state: "State", order: "Order",
    all: "all", done: "done", open: "not done yet",
    by_chapter: "by chapter", by_difficulty: "by difficulty",
    shown: "{shown} of {all} exercises are shown.",
    mark: "✓ done",
  });
  const table = document.querySelector(".am-exercises table");
  const rows = [...table.querySelectorAll("tr[data-id]")], home = [...table.tBodies];
  const chapterOf = new Map(rows.map((row) => [row, row.parentElement]));
  const chosen = { difficulty: SAY.all, skill: SAY.all, state: SAY.all, order: SAY.by_chapter };
  const skillsOf = (row) => [...row.querySelectorAll("li")].map((one) => one.textContent);
  const difficulty = (row) => row.cells[1].textContent;
  const level = (row) => Number(row.dataset.level);

  const levels = [...new Map([...rows].sort((a, b) => level(a) - level(b))
    .map((row) => [difficulty(row), row])).keys()];
  const skills = [...new Set(rows.flatMap(skillsOf))].sort();

  /* The same rows under other heads. */
  const byLevel = levels.map(function (name) {
    const body = document.createElement("tbody"), head = home[0].rows[0].cloneNode();
    const cell = home[0].querySelector("th").cloneNode();
    cell.textContent = name;
    head.append(cell);
    body.append(head);
    return body;
  });
  function arrange() {
    const ordered = chosen.order === SAY.by_difficulty;
    rows.forEach((row) =>
      (ordered ? byLevel[levels.indexOf(difficulty(row))] : chapterOf.get(row)).append(row));
    [...table.tBodies].forEach((body) => body.remove());
    table.append(...(ordered ? byLevel : home));
  }

  function show() {
    let shown = 0;
    rows.forEach(function (row) {
      const done = Progress.isDone(row.dataset.id);
      row.querySelector(".am-done").textContent = done ? SAY.mark : "";
      row.hidden = !(
        [SAY.all, difficulty(row)].includes(chosen.difficulty) &&
        [SAY.all, ...skillsOf(row)].includes(chosen.skill) &&
        [SAY.all, done ? SAY.done : SAY.open].includes(chosen.state));
      if (!row.hidden) shown += 1;
    });
    [...table.tBodies].forEach((body) => {
      body.hidden = ![...body.rows].slice(1).some((row) => !row.hidden);
    });
    status.textContent = Say.fill(SAY.shown, { shown, all: rows.length });
  }

  function buttons(what, names) {
    const group = document.createElement("div"), title = document.createElement("span");
    title.textContent = SAY[what];
    title.id = `am-by-${what}`;
    group.className = "am-buttons";
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", title.id);
    group.append(title);
    names.forEach(function (name) {
      const one = document.createElement("button");
      Object.assign(one, { type: "button", className: "am-button", textContent: name });
      one.setAttribute("aria-pressed", String(name === chosen[what]));
      one.addEventListener("click", function () {
        chosen[what] = name;
        group.querySelectorAll("button").forEach((other) =>
          other.setAttribute("aria-pressed", String(other === one)));
        arrange();
        show();
      });
      group.append(one);
    });
    return group;
  }

  const status = document.createElement("p");
  status.setAttribute("role", "status");
  rows.forEach(function (row) {
    const mark = document.createElement("span");
    mark.className = "am-done";
    row.cells[0].append(" ", mark);
  });
  table.closest(".am-exercises").prepend(
    buttons("difficulty", [SAY.all, ...levels]), buttons("skill", [SAY.all, ...skills]),
    buttons("state", [SAY.all, SAY.open, SAY.done]),
    buttons("order", [SAY.by_chapter, SAY.by_difficulty]), status);
  Progress.watch(show);
});
