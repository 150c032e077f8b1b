/* On a page of exercises: a question counts as done when its right choice is opened, an exercise
   when its code is entered or its box is ticked. Nothing of this is asked for: the page reads the
   same without it. */
"use strict";
document.addEventListener("DOMContentLoaded", function () {
  const SAY = Say.texts({
    so_far: "Done on this page: {exercises} of {all_exercises} exercises, {questions} of " +
      "{all_questions} questions. Your browser remembers it, and nobody else does.",
    more: "Your progress in all chapters",
    tick: "I have done this exercise",
    by_code: "Marked by its code.",
    first: "✓ Answered at the first try.",
    later: "✓ Answered, after another choice.",
    tried: "Not answered yet: the choice that you opened is not the right one.",
    off: "This browser keeps nothing for this site, so the marks last only as long as this page.",
    full: "This browser's memory for this site is full, so the marks last only as long as this " +
      "page. Under “Your progress” you can save them as a file.",
    aside: "What this browser had kept of your progress cannot be read. It is not lost: under " +
      "“Your progress” you can save it as a file.",
  });
  const chapter = Object.keys(COURSE).find((one) =>
    decodeURI(location.pathname).endsWith(`/${COURSE[one].page}_exercises.html`));
  if (!chapter) return;
  const element = (tag, about = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), about);
    made.append(...inside);
    return made;
  };
  const place = (kind, number) =>
    document.getElementById(`${kind}-${Number(chapter)}-${number}`).closest("section");
  const exercises = Progress.exercises(chapter), questions = Progress.questions(chapter);

  /* Above the exercises: how many are done, and the box for codes. */
  const count = element("p"), trouble = element("p");
  trouble.setAttribute("role", "status");
  const all = element("a", { href: "../book/your_progress.html", textContent: SAY.more });
  document.getElementById("exercises").querySelector(":scope > p").after(
    element("div", { className: "am-progress" }, count, Codes.box(), element("p", {}, all), trouble));
  Progress.watch(function () {
    const one = Progress.count(exercises), two = Progress.count(questions);
    count.textContent = Say.fill(SAY.so_far, {
      exercises: one.done, all_exercises: one.all, questions: two.done, all_questions: two.all,
    });
    trouble.textContent = SAY[Progress.trouble()] || "";
  });

  /* Below an exercise: a box to tick. */
  exercises.forEach(function (id, at) {
    const tick = element("input", { type: "checkbox" }), how = element("span");
    const line = element("p", { className: "am-did" }, element("label", {}, tick, " ", SAY.tick),
      " ", how);
    place("exercise", at + 1).append(line);
    tick.addEventListener("change", function () {
      if (tick.checked) Progress.mark(id, "done", "tick");
      else Progress.unmark(id);
    });
    Progress.watch(function () {
      tick.checked = Progress.isDone(id);
      how.textContent = Progress.item(id).by === "code" ? SAY.by_code : "";
    });
  });

  /* Below a question: whether it is answered. A choice counts when the reader opens it, not when
     the browser does, as to search the page. */
  questions.forEach(function (id, at) {
    const section = place("question", at + 1), right = COURSE[chapter].questions[at];
    const choices = [...section.querySelectorAll("details.choice")];
    const line = element("p", { className: "am-did" });
    line.setAttribute("role", "status");
    section.append(line);
    choices.forEach(function (choice, number) {
      choice.querySelector("summary").addEventListener("click", function () {
        if (choice.open || Progress.isDone(id)) return;  // it is about to be closed
        if (number === right) Progress.mark(id, "done", "choice");
        else Progress.mark(id, "tried");
      });
    });
    Progress.watch(function () {
      const item = Progress.item(id);
      line.textContent = "done" in item ? ("tried" in item ? SAY.later : SAY.first)
        : "tried" in item ? SAY.tried : "";
    });
  });
});
