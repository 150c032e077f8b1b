/* The codes that the checker of an exercise prints, such as `ch03.latch-7K2` for one exercise or
   `ch03.1+4-AB7` for several of a chapter: read, checked, and entered in a box. The three digits
   come from a hash of the id, as in course_lib/exercises/engine/codes.py. They find a mistyped code
   and prove nothing. */
"use strict";
const Codes = (function () {
  const SAY = Say.texts({
    label: "Code from the checker",
    enter: "Mark as done",
    marked: "Marked as done: {names}.",
    none: "There is no code in what you entered. A code looks like {example}.",
    unknown: "No exercise is called {name}. Is a letter missing?",
    unknownNear: "No exercise is called {name}. By its digits, the code is {near}.",
    noNumber: "Chapter {chapter} has no exercise {number}.",
    noChapter: "No chapter has exercises under {name}.",
    digits: "The last three characters of {code} do not fit what stands before them.",
  });
  const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const { fill } = Say;

  /* FNV-1a with 32 bits, folded; three digits of five bits. */
  function digitsOf(text) {
    let number = 0x811c9dc5;
    new TextEncoder().encode(text).forEach(function (byte) {
      number = Math.imul(number ^ byte, 0x01000193) >>> 0;
    });
    number ^= number >>> 15;
    return [10, 5, 0].map((shift) => DIGITS[(number >>> shift) & 31]).join("");
  }

  /* The ids that the first part of a code means, "latch" or "1+4"; a text says what is wrong. */
  function idsOf(chapter, said, digits) {
    const name = `ch${chapter}.${said}`;
    if (!COURSE[chapter]) return fill(SAY.noChapter, { name });
    const ids = Progress.exercises(chapter);
    if (!/^\d/.test(said)) {
      const found = ids.filter((id) => id.toLowerCase() === name.toLowerCase());
      if (found.length) return found;
      const near = Object.keys(COURSE).flatMap(Progress.exercises)
        .find((id) => digitsOf(id) === digits);
      return near ? fill(SAY.unknownNear, { name, near: `${near}-${digits}` })
        : fill(SAY.unknown, { name });
    }
    const numbers = said.split("+").filter(Boolean).map(Number);
    const wrong = numbers.find((number) => !ids[number - 1]);
    return wrong === undefined ? ids.filter((id, at) => numbers.includes(at + 1))
      : fill(SAY.noNumber, { chapter: Number(chapter), number: wrong });
  }

  /* All codes in a text: the ids that they mark, and sentences about what is wrong. */
  function read(text) {
    const ids = [], problems = [];
    const pattern = /\bch(\d\d)\.([\w+]+)\s*[-‐‑–—−·]\s*([0-9a-z]{3})(?![0-9a-z])/gi;
    for (const [code, chapter, said, typed] of text.matchAll(pattern)) {
      const digits = typed.toUpperCase().replace(/[IL]/g, "1").replace(/O/g, "0");
      const found = idsOf(chapter, said, digits);
      if (typeof found === "string") problems.push(found);
      else if (digitsOf(found.join("+")) !== digits) problems.push(fill(SAY.digits, { code }));
      else ids.push(...found);
    }
    if (!ids.length && !problems.length) {
      const [chapter] = Object.keys(COURSE).sort(), [id] = Progress.exercises(chapter);
      problems.push(fill(SAY.none, { example: `${id}-${digitsOf(id)}` }));
    }
    return { ids: [...new Set(ids)], problems };
  }

  /* A line to enter codes in. Several at once are welcome, with any text around them. */
  function box() {
    const form = document.createElement("form");
    const label = document.createElement("label"), field = document.createElement("input");
    const button = document.createElement("button"), answer = document.createElement("p");
    form.className = "am-code-box";
    label.append(SAY.label, " ", field);
    Object.assign(field, { type: "text", autocomplete: "off", spellcheck: false });
    field.setAttribute("autocapitalize", "none");
    button.textContent = SAY.enter;
    button.className = "am-button";
    answer.setAttribute("role", "status");
    form.append(label, button, answer);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      const { ids, problems } = read(field.value);
      ids.forEach((id) => Progress.mark(id, "done", "code"));
      const marked = ids.length ? [fill(SAY.marked, { names: ids.join(", ") })] : [];
      answer.textContent = [...marked, ...problems].join("\n");
      form.classList.toggle("am-wrong", problems.length > 0);
      if (!problems.length) field.value = "";
    });
    return form;
  }

  return { digitsOf, read, box };
})();
