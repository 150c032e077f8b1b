/* One translation in the page: written word by word without freezing it, compared with the grammar's
   own, and shown as a row of words that the reader can point at. */
"use strict";
AM.translation = (function () {
  const { element } = AM;
  const SAY = Say.texts({
    right: "✓ without a mistake",
    mistake: "✗ one mistake",
    mistakes: "✗ {count} mistakes",
    writing: "writes …",
    wrong: "wrong",
    missing: "missing: {word}",
    row: "Words of the translation ({name}); the arrow keys go from one to the next",
  });

  /* Work without freezing the page: `step` runs for a few milliseconds at a time until it returns false. */
  function inSlices(step) {
    return new Promise(function (done, fail) {
      (function slice() {
        const until = performance.now() + 12;
        try {
          while (performance.now() < until) if (!step()) return done();
        } catch (error) { return fail(error); }
        return setTimeout(slice);
      })();
    });
  }

  /* The words of a translation beside those of the grammar: what both have, in order, is right (their
     longest common subsequence); else a word is wrong, or missing. */
  function compare(written, wanted) {
    const [m, n] = [written.length, wanted.length];
    const common = Array.from({ length: m + 1 }, () => new Array(n + 1).fill(0));
    for (let i = m - 1; i >= 0; i -= 1) {
      for (let j = n - 1; j >= 0; j -= 1) {
        common[i][j] = written[i] === wanted[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
      }
    }
    const marks = [];
    for (let i = 0, j = 0; i < m || j < n;) {
      if (i < m && j < n && written[i] === wanted[j]) {
        marks.push({ word: written[i], place: i, kind: "right" });
        i += 1; j += 1;
      } else if (i < m && (j >= n || common[i + 1][j] >= common[i][j + 1])) {
        marks.push({ word: written[i], place: i, kind: "wrong" });
        i += 1;
      } else {
        marks.push({ word: wanted[j], place: -1, kind: "missing" });
        j += 1;
      }
    }
    return marks;
  }

  /* A word that stands for another one is one mistake, not one too many and one missing. */
  function mistakes(marks) {
    let all = 0, wrong = 0, missing = 0;
    for (const { kind } of [...marks, { kind: "right" }]) {
      if (kind === "wrong") wrong += 1;
      else if (kind === "missing") missing += 1;
      else {
        all += Math.max(wrong, missing);
        [wrong, missing] = [0, 0];
      }
    }
    return all;
  }

  /* One translation, word by word: `step` writes the likeliest next word, and returns false when there
     is none, or too many. */
  function begin(models, name, sentence) {
    const model = models[name], { BOS, EOS, PAD, words } = models.target;
    const writing = { words: [], weights: name === "fixed" ? null : [], step };
    let state = null, token = BOS;
    function step() {
      state = state || model.start(models.source.ids(sentence));
      const made = model.step(state, token);
      made.logits[PAD] = made.logits[BOS] = -Infinity;  // never written
      token = made.logits.indexOf(Math.max(...made.logits));
      if (token === EOS) return false;
      state = made.state;
      writing.words.push(words[token]);
      if (writing.weights) writing.weights.push(made.weights);
      return writing.words.length < 2 * sentence.length + 10;
    }
    return writing;
  }

  /* A text for a screen reader alone, in the language of the page. */
  const unseen = (text) => element("span", { class: "am-unseen", lang: document.documentElement.lang || false }, text);

  /* The row of a model: its name, its words with their marks, its verdict. `point` is told which word
     the reader points at, and whether with the keyboard's focus. */
  function row(model, title, point) {
    const name = element("span", { class: "name" }, title);
    const verdict = element("span", { class: "verdict" });
    const words = element("div", { class: "words", role: "toolbar", translate: "no", "aria-label": Say.fill(SAY.row, { name: title }) });
    const box = element("div", { class: `am-row ${model}` }, element("p", { class: "head" }, name, " ", verdict), words);
    const buttons = () => [...words.querySelectorAll("button")];
    const place = (event) => {
      const one = event.target.closest("button");
      return one ? Number(one.dataset.place) : -1;
    };
    words.addEventListener("pointerover", (event) => { if (event.pointerType === "mouse") point(model, place(event), false); });
    words.addEventListener("pointerleave", () => point(model, -1, false));
    words.addEventListener("focusin", (event) => point(model, place(event), true));
    words.addEventListener("focusout", () => point(model, -1, true));
    words.addEventListener("click", (event) => { if (place(event) >= 0) event.target.closest("button").focus(); });
    words.addEventListener("keydown", function (event) {
      const all = buttons(), here = all.indexOf(document.activeElement);
      const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined || !all[to]) return;
      event.preventDefault();
      all.forEach((one, i) => { one.tabIndex = i === to ? 0 : -1; });
      all[to].focus();
    });
    return {
      box,
      show(marks, lang, finished) {
        let first = true;
        words.lang = lang;
        const units = [];  // what is written without a space: "l'" and its noun, a noun and its particle
        marks.forEach(function ({ word, place: number, kind }, i) {
          const text = word.replace(/^-/, "");
          let made;
          if (kind === "missing") {
            made = element("span", { class: "missing" }, element("span", { "aria-hidden": "true" }, `⟨${text}⟩`), unseen(Say.fill(SAY.missing, { word: text })));
          } else {
            made = element("button", { type: "button", class: kind, "data-place": String(number), tabindex: first ? "0" : "-1" }, text);
            if (kind === "wrong") made.append(unseen(` ${SAY.wrong}`));
            first = false;
          }
          const joins = i && (word.startsWith("-") || marks[i - 1].word.endsWith("'"));
          if (joins) units[units.length - 1].append(made);
          else units.push(element("span", { class: "unit" }, made));
        });
        words.replaceChildren(...units);
        const count = mistakes(marks);
        verdict.textContent = !finished ? SAY.writing : count > 1 ? Say.fill(SAY.mistakes, { count }) : count ? SAY.mistake : SAY.right;
      },
      mark(number) { buttons().forEach((one) => one.classList.toggle("on", Number(one.dataset.place) === number)); },
    };
  }

  return { begin, compare, inSlices, mistakes, row };
})();
