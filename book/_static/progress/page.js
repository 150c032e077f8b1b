/* The page “Your progress”: what is done in each chapter; save it as a file, load such a file, clear
   it. The table and its totals stand in the page; this script counts. */
"use strict";
document.addEventListener("DOMContentLoaded", function () {
  const SAY = Say.texts({
    some: "{done} of {all}",
    answered: "{done} of {all}, {first} at the first try",
    total: "Done in all chapters: {exercises} of {all_exercises} exercises, {questions} of " +
      "{all_questions} questions.",
    unknown: "Marks of exercises or questions that this edition of the book does not have: {count} " +
      "({names}). They are kept, and not counted above.",
    save: "Save as a file",
    load: "Load a file",
    clear: "Clear everything",
    sure: "Clear all marks and guesses in this browser? Marks come back from a saved file, guesses " +
      "do not.",
    cleared: "All marks and guesses are cleared.",
    loaded: "New marks from the file: {added}. What was marked before stays so.",
    skipped: "Entries of the file that make no sense and were left out: {skipped}.",
    unreadable: "This file holds no progress that can be read here. Nothing was changed.",
    newer: "This file was written by a later edition of the book. Nothing was changed.",
    off: "This browser keeps nothing for this site: the marks last only as long as this page. Save " +
      "them as a file before you leave.",
    full: "This browser's memory for this site is full: new marks last only as long as this page. " +
      "Save them as a file before you leave.",
    aside: "What this browser had kept cannot be read. It was set aside, and counting began anew.",
    save_aside: "Save what cannot be read",
    file: "You opened the book as files. Some browsers then remember nothing from page to page; " +
      "`make serve` opens it so that they do.",
  });
  const LARGEST = 1e6;  // bytes of a file; all marks of the book take 20,000
  const place = document.querySelector(".am-your-progress");
  const element = (tag, about = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), about);
    made.append(...inside);
    return made;
  };
  const button = (text, press) =>
    element("button", { type: "button", className: "am-button", textContent: text, onclick: press });

  function save(text, name) {
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  async function load(event) {
    const [file] = event.target.files;
    if (!file) return;
    try {
      if (file.size > LARGEST) throw new Error("unreadable");
      const { added, skipped } = Progress.merge(await file.text());
      answer.textContent = Say.fill(SAY.loaded, { added }) +
        (skipped ? ` ${Say.fill(SAY.skipped, { skipped })}` : "");
    } catch (error) {
      answer.textContent = SAY[error.message] || SAY.unreadable;
    }
    event.target.value = "";
  }

  function clear() {
    if (!confirm(SAY.sure)) return;
    Progress.clear();
    answer.textContent = SAY.cleared;
  }

  const total = element("p"), unknown = element("p"), trouble = element("p");
  const answer = element("p");
  [trouble, answer].forEach((line) => line.setAttribute("role", "status"));
  const saveAside = button(SAY.save_aside, () => save(Progress.aside(), "not-readable.txt"));
  const file = element("input", { type: "file", accept: ".json,application/json", onchange: load });
  place.append(
    total, unknown, Codes.box(),
    element("div", { className: "am-buttons" },
      button(SAY.save, () => save(Progress.text(), "attention-measured-progress.json")),
      element("label", {}, SAY.load, " ", file), button(SAY.clear, clear)),
    answer, trouble, saveAside,
    location.protocol === "file:" ? element("p", { textContent: SAY.file }) : "");

  Progress.watch(function () {
    const chapters = Object.keys(COURSE), strange = Progress.unknown();
    const one = Progress.count(chapters.flatMap(Progress.exercises));
    const two = Progress.count(chapters.flatMap(Progress.questions));
    total.textContent = Say.fill(SAY.total, {
      exercises: one.done, all_exercises: one.all, questions: two.done, all_questions: two.all,
    });
    unknown.textContent = strange.length === 0 ? ""
      : Say.fill(SAY.unknown, { count: strange.length, names: strange.slice(0, 9).join(", ") });
    place.querySelectorAll("tr[data-chapter]").forEach(function (row) {
      const chapter = row.dataset.chapter, [exercises, questions] = row.querySelectorAll("td");
      const answered = Progress.count(Progress.questions(chapter));
      exercises.textContent = Say.fill(SAY.some, Progress.count(Progress.exercises(chapter)));
      questions.textContent = Say.fill(answered.done ? SAY.answered : SAY.some, answered);
    });
    trouble.textContent = SAY[Progress.trouble()] || "";
    saveAside.hidden = !Progress.aside();
  });
});
