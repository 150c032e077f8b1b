/* Guess first: a box that opens with “Predict.” takes the reader's guess, and the answer waits for it.

   The box says what it asks for by empty spans; without one it takes a line of text:

       <span class="guess" data-choices="better|equal|worse"></span>
       <span class="guess" data-number="%" data-label="at 12 words"></span>

   The answer is what the notebook tags `answer` between this box and the next. A box whose answer
   stands further down has a name: data-answer="recall" in its span; its answer's cells are tagged
   `answer` and `answer-recall`. Until the reader has
   guessed, or asks to see it, it is hidden, "until-found" where the browser knows this: a search in
   the page and a link still find it. Guesses stay in this browser. Without this script, and on paper,
   everything is there. */
"use strict";
(function () {
  const SAY = Say.texts({
    yours: "Your guess",
    compare: "Compare",
    show: "Show me",
    again: "Guess again",
    never: "Never hold answers back",
    held: "The answer is held back until you guess.",
    question: "To the question",
    guessed: "You guessed: {guess}.",
    noGuess: "The answer, without a guess.",
    part: "{label}: {guess}",
    between: "; ",
    unit: "{number} {unit}",
    percent: "{number}%",
    empty: "Write down a guess first, or choose “Show me”.",
    noNumber: "A number is asked for here.",
    compared: "The answer is on the page now.",
    off: "This browser keeps nothing for this site, so your guess lasts as long as this page.",
    hidden: "The answer is held back again.",
  });
  const { fill } = Say;
  const element = function (tag, about = {}, ...inside) {
    const made = Object.assign(document.createElement(tag), about);
    made.append(...inside);
    return made;
  };

  /* What this browser remembers: the switch, and for each page the guess by question. */
  const PAGE = `guesses/${decodeURI(location.pathname).split("/").pop().replace(/\.html$/, "")}`;
  const SWITCH = "answers", SHOWN = "shown", HELD = "held";
  const read = function (key) {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const write = function (key, value) {
    try { localStorage.setItem(key, value); return true; } catch { return false; }
  };
  const guesses = (function () {
    try { return Object.assign({}, JSON.parse(read(PAGE))); } catch { return {}; }
  })();
  let never = read(SWITCH) === SHOWN;

  /* Until the whole page is read and every answer has its box, none is drawn. */
  if (!never) document.documentElement.classList.add("am-guessing");

  /* One field of a box: its element, what is in it, and what is wrong with that. */
  function makeField(about, name) {
    const label = about.label || SAY.yours;
    if (about.choices) {
      const choices = about.choices.split("|")
        .map((value) => element("input", { type: "radio", name, value }));
      const lines = choices.map((one) => element("label", {}, one, " ", one.value));
      const set = element("fieldset", {}, element("legend", { textContent: label }), ...lines);
      return {
        set,
        first: choices[0],
        clear: () => choices.forEach((one) => { one.checked = false; }),
        value: () => (choices.find((one) => one.checked) || {}).value || "",
        problem: () => "",
      };
    }
    const isNumber = about.number !== undefined, unit = about.number || "";
    const input = element("input", { type: "text", autocomplete: "off" });
    input.maxLength = isNumber ? 20 : 300;
    if (isNumber) input.inputMode = "decimal";
    const set = element("label", {}, element("span", { textContent: label }), input);
    if (unit) set.append(unit);
    /* What was typed, without the unit if that was typed, too. */
    function typed() {
      const text = input.value.trim();
      return unit && text.endsWith(unit) ? text.slice(0, -unit.length).trim() : text;
    }
    function value() {
      const number = typed();
      if (!unit || !number) return number.replace(/\.$/, "");
      return fill(unit === "%" ? SAY.percent : SAY.unit, { number, unit });
    }
    return {
      set,
      first: input,
      clear: () => { input.value = ""; },
      value,
      problem: () => (isNumber && typed() && !/\d/.test(typed()) ? SAY.noNumber : ""),
    };
  }

  /* A browser that does not know the value would show what has it. */
  const UNTIL = "onbeforematch" in document.documentElement ? "until-found" : "";

  /* What is hidden of an answer: of code that is shown, only its output. */
  const partOf = (cell) =>
    (cell.matches(".cell:not(.tag_hide-input, .tag_remove-input, .tag_hide-cell)")
      && cell.querySelector(":scope > .cell_output")) || cell;

  /* The words of a question, by which its guess is kept: another question, another guess. */
  function wordsOf(quote) {
    const copy = quote.cloneNode(true);
    copy.querySelectorAll(".math").forEach((one) => one.remove());  // drawn sooner or later
    return copy.textContent.replace(/\s+/g, " ").trim();
  }

  function makeBox(quote, answers, number) {
    const question = wordsOf(quote);
    const spans = [...quote.querySelectorAll(".guess")];
    const abouts = spans.length ? spans.map((span) => span.dataset) : [{}];
    const fields = abouts.map((about, at) => makeField(about, `guess-${number}-${at}`));
    const parts = answers.map(partOf);
    quote.id = `predict-${number + 1}`;
    const button = (textContent, type = "button") => element("button", { type, textContent });

    const compare = button(SAY.compare, "submit"), show = button(SAY.show), again = button(SAY.again);
    const said = element("p", { className: "am-guessed-said" });
    const status = element("p", { className: "am-status" });
    const heard = element("span", { className: "visually-hidden" });  // seen at once, so only said
    [status, heard].forEach((one) => one.setAttribute("role", "status"));
    const form = element("form", { noValidate: true }, ...fields.map((field) => field.set),
      element("div", { className: "am-guess-buttons" }, compare, show));
    const toggle = element("input", { type: "checkbox", checked: never });
    quote.append(element("div", { className: "am-guess" }, form,
      element("div", { className: "am-guess-made" }, said, again), status, heard,
      element("label", { className: "am-never" }, toggle, " ", SAY.never)));

    /* At the head of the answer: that it waits, later what was guessed. An answer in several pieces
       has a note at each, and the guess once in every section. */
    const notes = [], heads = [];
    parts.forEach(function (part, at) {
      const before = parts[at - 1];
      if (before && [before, before.parentElement].includes(part.previousElementSibling)) return;
      const now = button(SAY.show);
      const note = element("p", { className: "am-held" }, `${SAY.held} `, now);
      now.addEventListener("click", () => look(note));
      if (abouts[0].answer) {
        note.append(element("a", { href: `#${quote.id}`, textContent: SAY.question }));
      }
      part.before(note);
      notes.push(note);
      if (before && before.closest("section") === part.closest("section")) return;
      const head = element("p", { className: "am-guessed", tabIndex: -1 });
      note.after(head);
      heads.push(head);
    });

    let open = false;  // by “Show me”, a search in the page, or a link
    const guess = () => guesses[question];
    function text() {
      return guess().map((value, at) => (value && abouts[at] && abouts[at].label
        ? fill(SAY.part, { label: abouts[at].label, guess: value }) : value))
        .filter(Boolean).join(SAY.between);
    }
    function render() {
      const made = Array.isArray(guess());
      const held = !made && !open && !never;
      parts.forEach(function (part) {
        if (held) part.setAttribute("hidden", UNTIL); else part.removeAttribute("hidden");
      });
      notes.forEach((note) => { note.hidden = !held; });
      show.hidden = !held;
      form.hidden = made;
      again.parentElement.hidden = !made;
      said.textContent = made ? fill(SAY.guessed, { guess: text() }) : "";
      heads.forEach(function (head) {
        head.textContent = made ? said.textContent : SAY.noGuess;
        head.hidden = held || (!made && !open);
      });
      toggle.checked = never;
    }
    /* The answer comes into view where it is not, and takes the focus. */
    function goToAnswer(note = notes[0]) {
      const head = note.nextElementSibling;  // the guess, or the piece itself
      head.tabIndex = -1;
      head.focus({ preventScroll: true });
      const { top } = head.getBoundingClientRect();
      if (top < 0 || top > 0.6 * innerHeight) head.scrollIntoView({ block: "start" });
    }
    function keep(value) {
      if (value) guesses[question] = value; else delete guesses[question];
      return write(PAGE, JSON.stringify(guesses));
    }
    function reveal() {
      open = true;
      render();
    }
    function look(note) {
      reveal();
      status.textContent = "";
      heard.textContent = SAY.compared;
      goToAnswer(note);
    }
    show.addEventListener("click", () => look());
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      const values = fields.map((field) => field.value());
      const wrong = fields.find((field) => field.problem()) || (!values.some(Boolean) && fields[0]);
      if (wrong) {
        status.textContent = wrong.problem() || SAY.empty;
        wrong.first.focus();
        return;
      }
      const kept = keep(values);
      look();
      if (!kept) status.textContent = SAY.off;
    });
    again.addEventListener("click", function () {
      keep(null);
      open = false;
      fields.forEach((field) => field.clear());
      render();
      heard.textContent = never ? "" : SAY.hidden;
      fields[0].first.focus();
    });
    toggle.addEventListener("change", function () {
      const { top } = toggle.getBoundingClientRect();
      never = toggle.checked;
      write(SWITCH, never ? SHOWN : HELD);
      boxes.forEach((box) => box.render());
      scrollBy(0, toggle.getBoundingClientRect().top - top);
    });
    parts.forEach((part) => part.addEventListener("beforematch", reveal));
    render();
    return { render, reveal, parts };
  }

  /* A link into an answer shows it. */
  function followLink() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const box = target && boxes.find((one) => one.parts.some((part) => part.contains(target)));
    if (!box) return;
    box.reveal();
    target.scrollIntoView();
  }

  let boxes = [];
  document.addEventListener("DOMContentLoaded", function () {
    try {
      const found = [...document.querySelectorAll("article :is(blockquote.predict, .tag_answer)")];
      const groups = [], named = new Map();
      found.forEach(function (one) {
        if (one.matches("blockquote")) {
          const answers = [], span = one.querySelector(".guess[data-answer]");
          groups.push([one, answers]);
          if (span) named.set(`tag_answer-${span.dataset.answer}`, answers);
          return;
        }
        const name = [...one.classList].find((each) => named.has(each));
        if (name) named.get(name).push(one);
        else if (groups.length) groups[groups.length - 1][1].push(one);
      });
      boxes = groups.filter(([, answers]) => answers.length)
        .map(([quote, answers], number) => makeBox(quote, answers, number));
      addEventListener("hashchange", followLink);
      followLink();
    } finally {
      document.documentElement.classList.remove("am-guessing");
    }
  });
})();
