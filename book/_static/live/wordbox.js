/* A text field for a sentence of the lab, with the words that may come next below it: a combobox after
   the ARIA pattern. The arrow keys go through the words, Enter takes one, Escape closes the list; a
   click or a tap takes one, too. The list never gets the focus, so one can type on all the time.

       const box = AM.wordBox(function changed(words, settled) { … });
       stage.append(box.element);   box.text = "the cat sleeps";

   `changed` gets the typed words after every change; `settled` is false while the last of them may
   still grow into a word that fits. */
"use strict";
AM.wordBox = function (changed) {
  const { element } = AM;
  const SAY = Say.texts({
    label: "Your sentence, in English",
    list: "Words that may come next",
    kinds: {
      determiner: "begin with", adjective: "adjectives", noun: "nouns", negation: "negation", adverb: "adverbs",
      verb: "verbs", particle: "belongs to the verb", preposition: "prepositions", pronoun: "relative clause", conjunction: "go on",
    },
  });
  const id = `am-wordbox-${AM.wordBoxes = (AM.wordBoxes || 0) + 1}`;
  const input = element("input", {
    id, type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list",
    autocomplete: "off", autocapitalize: "none", autocorrect: "off", spellcheck: "false", enterkeyhint: "done", lang: "en",
  });
  const list = element("div", { id: `${id}-list`, role: "listbox", "aria-label": SAY.list, class: "am-words", hidden: true });
  const box = element("div", { class: "am-wordbox" }, element("label", { for: id }, SAY.label), input, list);
  let options = [], active = -1, before = "";

  /* What is typed: the text before the word that is being typed, that word, and what may stand there. */
  function state() {
    const text = input.value;
    let done = text.replace(/\S*$/, ""), typed = text.slice(done.length).toLowerCase();
    let { next, problem } = AM.parser.parse(AM.parser.wordsOf(done));
    const begins = () => [...next.keys()].filter((word) => word.startsWith(typed));
    if (!problem && typed && next.has(typed) && begins().length === 1) {  // finished: on to the next
      done = `${text} `;
      typed = "";
      ({ next, problem } = AM.parser.parse(AM.parser.wordsOf(done)));
    }
    return { done, typed, next, problem, fitting: problem ? [] : begins() };
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    mark(-1);
  }

  function mark(number) {
    if (options[active]) options[active].setAttribute("aria-selected", "false");
    active = number;
    if (!options[active]) return input.removeAttribute("aria-activedescendant");
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", options[active].id);
  }

  function open() {
    const { done, next, fitting } = state();
    const groups = new Map();
    for (const word of fitting) {
      const kind = next.get(word);
      groups.set(kind, [...(groups.get(kind) || []), word]);
    }
    options = [];
    before = done;
    list.replaceChildren(...[...groups].map(([kind, words]) => {
      const name = `${id}-${kind}`;
      return element("div", { role: "group", "aria-labelledby": name },
        element("span", { id: name, class: "kind", role: "presentation" }, SAY.kinds[kind]),
        element("span", { class: "some", role: "presentation", lang: "en" }, ...words.map(function (word) {
          const option = element("span", { role: "option", id: `${id}-${options.length}`, "aria-selected": "false" }, word);
          options.push(option);
          return option;
        })));
    }));
    active = -1;
    input.removeAttribute("aria-activedescendant");
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  function tell(left = false) {
    const { typed, problem, fitting } = state();
    const words = AM.parser.wordsOf(input.value);
    changed(words, left || Boolean(problem) || !typed || !fitting.length || fitting.includes(typed));
  }

  /* After a change: no list covers the translations of a whole sentence; the next letter, a click or an
     arrow key opens it. */
  function follow() {
    if (AM.parser.parse(AM.parser.wordsOf(input.value)).meaning) close(); else open();
    tell();
  }

  function take(option) {
    input.value = `${before}${option.textContent} `;
    follow();
  }

  input.addEventListener("input", follow);
  input.addEventListener("click", open);
  input.addEventListener("blur", function () { close(); tell(true); });
  input.addEventListener("keydown", function (event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open();
      if (options.length) mark(active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (options[active]) take(options[active]); else close();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault());  // the field keeps the focus
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", function (event) {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });

  return {
    element: box,
    input,
    get text() { return input.value; },
    set text(text) { input.value = text; close(); tell(true); },
  };
};
