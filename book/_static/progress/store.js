/* What a reader has done, kept in this browser: nothing is sent anywhere.

   `COURSE` (items.js, written when the pages are built) names the exercises and questions of each
   chapter. Kept is one text under one key of localStorage, the same that an export saves:

       {"form": 1, "items": {"ch03.latch": {"done": "2026-11-29", "by": "code"},
                             "q03.1": {"tried": "2026-11-29", "done": "2026-11-30"}}}

   An exercise has the id of the library; question 3.1 has the id q03.1. A question is `tried` where
   a wrong choice was opened first. Ids that this edition of the book does not know are kept. A text
   that cannot be read is set aside under a second key before another takes its place. Where the
   browser keeps nothing (storage off or full), the marks hold as long as the page is open. */
"use strict";
const Progress = (function () {
  const KEY = "am-progress", ASIDE = "am-progress-aside", FORM = 1;
  const watchers = [];
  let unsaved = null;  // the items, where the browser does not take them,
  let trouble = "";    // and why: "off" or "full"

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  /* A text as a Map of items, and how many entries of it make no sense. Throws where it is no
     progress at all ("unreadable"), or one of an edition to come ("newer"). */
  function understand(text) {
    let data;
    try { data = JSON.parse(text); } catch { throw new Error("unreadable"); }
    if (Array.isArray(data)) {  // an older form, easily written by hand: ids of what is done
      data = { items: Object.fromEntries(data.map((id) => [id, { done: "" }])) };
    }
    if (!isObject(data) || !isObject(data.items)) throw new Error("unreadable");
    if (data.form > FORM) throw new Error("newer");
    const entries = Object.entries(data.items);
    const good = entries.filter(([, item]) =>
      isObject(item) && Object.values(item).every((value) => typeof value === "string"));
    return { items: new Map(good), skipped: entries.length - good.length };
  }

  const written = (items) =>
    JSON.stringify({ form: FORM, items: Object.fromEntries(items) }, null, 1);

  /* What is kept now; read anew each time, for another tab may have written. */
  function items() {
    if (unsaved) return unsaved;
    try {
      const kept = localStorage.getItem(KEY);
      return kept ? understand(kept).items : new Map();
    } catch (error) {
      if (!["unreadable", "newer"].includes(error.message)) {
        trouble = "off";
        unsaved = new Map();
      }
      return new Map();
    }
  }

  /* What was kept and cannot be read: what was set aside, and what stands in its place now. */
  function unreadable() {
    const kept = localStorage.getItem(KEY), before = localStorage.getItem(ASIDE) || "";
    let fine = !kept || before.includes(kept);
    try { fine = fine || understand(kept).skipped === 0; } catch { /* it is not */ }
    return fine ? before : [before, kept].filter(Boolean).join("\n");
  }

  function write(items) {
    try {
      const aside = unreadable();
      if (aside) localStorage.setItem(ASIDE, aside);
      localStorage.setItem(KEY, written(items));
      unsaved = null;
      trouble = "";
    } catch (error) {
      unsaved = items;
      trouble = /quota/i.test(error.name) ? "full" : "off";
    }
    tell();
  }

  function tell() { watchers.forEach((watcher) => watcher()); }

  /* Two accounts of one item: what is done or tried in one of them stays so, with the first date. */
  function joined(mine, theirs) {
    const both = { ...theirs, ...mine };
    ["done", "tried"].forEach(function (what) {
      const days = [mine, theirs].filter((item) => what in item).map((item) => item[what]);
      if (days.length) both[what] = days.sort()[0];
    });
    return both;
  }

  const isDone = (item) => item !== undefined && "done" in item;

  addEventListener("storage", function (event) {  // written by another tab
    if (event.key === KEY || event.key === null) tell();
  });
  addEventListener("pageshow", function (event) {  // brought back by the button "back"
    if (event.persisted) tell();
  });

  return {
    item: (id) => items().get(id) || {},
    isDone: (id) => isDone(items().get(id)),

    /* An item is "done" or "tried" from today on; done by a "code", a "tick" or a "choice". */
    mark(id, what, by) {
      const now = items(), item = now.get(id) || {};
      const day = item[what] ?? new Date().toISOString().slice(0, 10);
      now.set(id, { ...item, [what]: day, ...(by && { by }) });
      write(now);
    },

    unmark(id) {
      const now = items();
      now.delete(id);
      write(now);
    },

    /* Take in the text of a file: nothing that was done becomes undone. */
    merge(text) {
      const { items: theirs, skipped } = understand(text), now = items();
      const added = [...theirs].filter(([id, item]) => isDone(item) && !isDone(now.get(id))).length;
      theirs.forEach((item, id) => now.set(id, joined(now.get(id) || {}, item)));
      write(now);
      return { added, skipped };
    },

    /* All marks, and the guesses of guess.js. */
    clear() {
      unsaved = null;
      trouble = "";
      const ours = (key) => [KEY, ASIDE].includes(key) || key.startsWith("guesses/");
      try {
        Object.keys(localStorage).filter(ours).forEach((key) => localStorage.removeItem(key));
      } catch { trouble = "off"; }
      tell();
    },

    text: () => written(items()),
    aside() { try { return unreadable(); } catch { return ""; } },

    /* What is wrong with the browser's memory: "", "off", "full", or "aside" for unreadable texts. */
    trouble() {
      items();
      return trouble || (Progress.aside() ? "aside" : "");
    },

    /* The ids of a chapter, "03". */
    exercises: (chapter) => COURSE[chapter].exercises.map((name) => `ch${chapter}.${name}`),
    questions: (chapter) => COURSE[chapter].questions.map((right, at) => `q${chapter}.${at + 1}`),
    all: (chapter) => [...Progress.exercises(chapter), ...Progress.questions(chapter)],

    /* Of some ids: how many there are, are done, and are done without a wrong choice before. */
    count(ids) {
      const now = items();
      const done = ids.map((id) => now.get(id)).filter(isDone);
      return { all: ids.length, done: done.length, first: done.filter((i) => !i.tried).length };
    },

    /* What is done and not in this edition of the book. */
    unknown() {
      const known = new Set(Object.keys(COURSE).flatMap(Progress.all));
      return [...items().keys()].filter((id) => !known.has(id));
    },

    /* Call a function now, and whenever something changes, here or in another tab. */
    watch(watcher) {
      watchers.push(watcher);
      watcher();
    },
  };
})();
