/* Three translators of the course side by side, at work in the page: the one with one fixed vector, the
   RNN with attention, the Transformer. The reader writes or grows an English sentence of the lab, sees
   what each model makes of it, what is wrong, and where the model looked.

   Everything is computed here, in the reader's browser. The weights come when the reader asks for them;
   until then, and without scripts, the figure is its still picture. */
"use strict";
{
  const SAY = Say.texts({
    invite: {
      small: "Make the sentence longer until the fixed vector drops a word.",
      grow: "Grow a sentence until the fixed vector drops a word. Do the others follow?",
      look: "Point at a translated word: where did the model look? Find a word for which it looked at two places.",
      beyond: "Grow a sentence beyond 30 words, longer than all of training. Which one breaks first?",
    },
    load: "Load the translators ({size} MB)",
    loading: "The translators into {language} are on their way …",
    again: "Try again",
    language: "Translate into",
    languages: { french: "French", korean: "Korean" },
    longer: "Longer", surprise: "Surprise me", clear: "Clear",
    start: "Write a sentence of the lab. The words that may come next are offered as you type.",
    unfinished: "The sentence is not finished. It may go on with {kinds}.",
    kinds: {
      determiner: "an article", adjective: "an adjective", noun: "a noun", negation: "a negation", adverb: "an adverb", verb: "a verb",
      particle: "the rest of the verb", preposition: "a preposition", pronoun: "“that”", conjunction: "“and”",
    },
    perhaps: "Do you mean {words} ?",
    count: "{words} words.",
    beyond: "{words} words. The models were trained on sentences of 4 to 30 words: this one is beyond all that they have seen.",
    toolong: "{words} words. This figure stops at 60: take some away.",
    models: { fixed: "Fixed vector", attention: "RNN with attention", transformer: "Transformer" },
    reference: "The grammar’s own translation",
    marks: "✗ is not what the grammar says; ⟨…⟩ is missing.",
    look: "Point at a word of a translation, tap it, or go to it with the keyboard: your sentence shows where the model looked.",
    blind: "Writing “{word}”, the fixed vector could not look. All it has of your sentence is one vector of 128 numbers.",
    looked: "Writing “{word}”, the RNN with attention looked at {listed}.",
    meanlook: "Writing “{word}”, the Transformer looked at {listed} (last layer, mean over its heads).",
    weight: "“{word}” ({share}%)",
    cannot: "This sentence could not be translated: {reason}",
  });
  const FIRST = "the girl loves the small bird";
  const LONGEST = 60, TRAINED = 30;
  const CODES = { french: "fr", korean: "ko" };
  const { element } = AM;
  const { begin, inSlices } = AM.translation;

  function button(label, press) {
    const made = element("button", { type: "button" }, label);
    made.addEventListener("click", press);
    return made;
  }

  AM.live("translator", function (stage, values) {
    const full = !values.small;
    const place = stage.parentElement;
    const languages = full ? Object.keys(SAY.languages) : ["french"];
    const models = {};  // by language
    let language = languages[0];

    // Before: an invitation and a button; in a chapter the still picture stays.
    const opening = element("div", { class: "am-control" });
    const news = element("p", { class: "am-news", role: "status" });
    stage.classList.add("am-talk");
    stage.append(element("p", { class: "invite" }, SAY.invite[values.ask]), opening, news);
    if (full) place.classList.add("am-waiting");
    const loader = button(Say.fill(SAY.load, { size: AM.number(values.megabytes, 1) }), open);
    opening.append(loader);

    /* Whether the models of a language are here; if not, the reader is told why. */
    async function load(name) {
      news.textContent = Say.fill(SAY.loading, { language: SAY.languages[name] });
      try {
        models[name] = models[name] || AM.translators(await AM.fetchWeights(`lab_${name}`));
        news.textContent = "";
        return true;
      } catch (error) {
        news.textContent = error.message;
        return false;
      }
    }

    async function open() {
      loader.disabled = true;
      if (await load(language)) {
        place.classList.remove("am-waiting");
        opening.remove();
        build();
      } else {
        loader.textContent = SAY.again;
        loader.disabled = false;
        loader.focus();
      }
    }

    function build() {
      const names = Object.keys(SAY.models);
      const box = AM.wordBox(typed);
      const message = element("p", { class: "am-message", role: "status" });
      const source = element("div", { class: "am-source", lang: "en", translate: "no" });
      const looking = element("p", { class: "am-looking", "aria-live": "polite" });
      const summary = element("p", { class: "am-unseen", role: "status" });
      const reference = element("p", { class: "words", translate: "no" });
      const rows = Object.fromEntries(names.map((model) => [model, AM.translation.row(model, SAY.models[model], point)]));
      const results = element("div", { class: "am-results" }, source,
        ...names.map((model) => rows[model].box),
        element("div", { class: "am-row reference" }, element("p", { class: "head" }, element("span", { class: "name" }, SAY.reference)), reference),
        looking, element("p", { class: "am-marks" }, SAY.marks), summary);
      const longer = button(SAY.longer, grow);
      const choice = element("select", {}, ...languages.map((name) => element("option", { value: name }, SAY.languages[name])));
      choice.addEventListener("change", changeLanguage);
      const controls = element("div", { class: "am-control" }, longer, button(SAY.surprise, surprise), button(SAY.clear, clear),
        ...(full ? [element("label", {}, `${SAY.language} `, choice)] : []));
      stage.append(controls, box.element, message, results);  // the list of words covers what stands below
      const tallies = full ? AM.tallies(SAY.models, languages, translateAll) : null;
      if (tallies) stage.append(tallies.element);

      let sentence = null;  // { language, words, wanted, outcomes }
      let turn = 0;  // a newer sentence makes an older one's computation stop
      let timer = 0;
      let hovered = null, focused = null;

      // The sentence

      function typed(words, settled) {
        clearTimeout(timer);
        const { meaning, next, problem } = AM.parser.parse(words);
        longer.disabled = !meaning || words.length > LONGEST - 4;
        timer = setTimeout(function () {
          if (!words.length) return tell(SAY.start);
          if (words.length > LONGEST) return tell(Say.fill(SAY.toolong, { words: words.length }));
          if (problem && settled) return complain(problem);
          if (!meaning) return tell(Say.fill(SAY.unfinished, { kinds: kindsOf(next) }));
          tell(Say.fill(words.length > TRAINED ? SAY.beyond : SAY.count, { words: words.length }));
          return shown(words) ? undefined : translate(words, meaning);
        }, 300);
      }

      /* Leaving the text field is no new sentence: what the reader points at stays. */
      function shown(words) {
        return sentence && sentence.language === language && sentence.words.join(" ") === words.join(" ");
      }

      function kindsOf(next) {
        const kinds = [...new Set(next.values())].map((kind) => SAY.kinds[kind]);
        return new Intl.ListFormat(document.documentElement.lang || "en", { type: "disjunction" }).format(kinds);
      }

      function tell(...parts) {
        const text = parts.map((part) => part.textContent || part).join("");
        if (message.textContent !== text) message.replaceChildren(...parts);
      }

      function complain(problem) {
        const words = AM.parser.wordsOf(box.text);
        const repairs = problem.instead.map((word) => button(word, function () {
          box.text = [...words.slice(0, problem.at), word, ...words.slice(problem.at + 1)].join(" ");
          box.input.focus();
        }));
        if (problem.kind === "article") {
          const right = words[problem.at - 1] === "a" ? "an" : "a";
          repairs.push(button(`${right} ${problem.word}`, function () {
            box.text = [...words.slice(0, problem.at - 1), right, ...words.slice(problem.at)].join(" ");
            box.input.focus();
          }));
        }
        const [before, after] = SAY.perhaps.split("{words}");
        tell(AM.parser.explain(problem), ...(repairs.length ? [` ${before}`, ...repairs.flatMap((one, i) => (i ? [" ", one] : [one])), after] : []));
      }

      /* Four to six words more; the verbs stay. */
      function grow() {
        const words = AM.parser.wordsOf(box.text);
        const { meaning } = AM.parser.parse(words);
        AM.meaning.grow(meaning, Math.min(4 + Math.floor(3 * Math.random()), LONGEST - words.length), true);
        box.text = AM.grammar.english(meaning).join(" ");
      }

      function surprise() {
        box.text = AM.grammar.english(AM.meaning.draw(5 + Math.floor(16 * Math.random()))).join(" ");
      }

      function clear() {
        turn += 1;
        sentence = null;
        results.hidden = true;
        box.text = "";
        box.input.focus();
      }

      // The translations

      /* What each model writes, for the curve: as long as `goOn()` says so. */
      async function translateAll(into, words, goOn) {
        const written = {};
        for (const model of names) {
          const writing = begin(models[into], model, words);
          await inSlices(() => goOn() && writing.step());
          written[model] = writing.words;
        }
        return written;
      }

      async function translate(words, meaning) {
        const mine = turn += 1;
        const lang = CODES[language];
        const now = { language, words, wanted: AM.grammar[language](meaning), outcomes: {} };
        sentence = now;
        hovered = focused = null;
        results.hidden = false;
        results.setAttribute("aria-busy", "true");
        source.replaceChildren(...words.map((word) => element("span", { class: "am-src" }, word,
          element("i", { "aria-hidden": "true" }), element("small", { "aria-hidden": "true" }, "\u00a0"))));
        reference.lang = lang;
        reference.textContent = AM.grammar.joinedText(now.wanted);
        light();
        for (const model of names) {
          const writing = begin(models[language], model, words);
          now.outcomes[model] = writing;
          let before = -1;
          try {
            await inSlices(function () {
              if (mine !== turn) return false;
              const more = writing.step();
              if (writing.words.length !== before) {
                before = writing.words.length;
                rows[model].show(writing.words.map((word, i) => ({ word, place: i, kind: "right" })), lang, false);
              }
              return more;
            });
          } catch (error) {
            results.removeAttribute("aria-busy");
            return tell(Say.fill(SAY.cannot, { reason: error.message }));
          }
          if (mine !== turn) return undefined;
          rows[model].show(AM.translation.compare(writing.words, now.wanted), lang, true);
        }
        summary.textContent = names.map((model) =>
          `${SAY.models[model]}: ${rows[model].box.querySelector(".verdict").textContent}.`).join(" ");
        if (tallies) tallies.count(words, now.wanted, Object.fromEntries(names.map((model) => [model, now.outcomes[model].words])));
        results.removeAttribute("aria-busy");
        return undefined;
      }

      /* Show where the model looked for the word that the reader points at, or has gone to. */
      function point(model, number, byFocus) {
        const one = number < 0 ? null : { model, number };
        if (byFocus) focused = one; else hovered = one;
        light();
      }

      function light() {
        const at = hovered || focused;
        const writing = at && sentence.outcomes[at.model];
        const one = writing && writing.words[at.number] ? at : null;  // not of the sentence before
        names.forEach((model) => rows[model].mark(one && one.model === model ? one.number : -1));
        source.className = `am-source ${one ? one.model : ""}`;
        const cells = [...source.children];
        const weights = one && writing.weights ? [...writing.weights[one.number]] : [];
        cells.forEach(function (cell, i) {
          const share = weights[i] || 0;
          cell.style.setProperty("--weight", share.toFixed(3));
          cell.querySelector("small").textContent = share >= 0.05 ? `${Math.round(100 * share)}%` : "\u00a0";
        });
        if (!one) { looking.textContent = SAY.look; return; }
        const word = writing.words[one.number];
        if (one.model === "fixed") { looking.textContent = Say.fill(SAY.blind, { word }); return; }
        const most = weights.slice(0, cells.length).map((share, i) => [share, sentence.words[i]]).sort(([a], [b]) => b - a)
          .filter(([share], i) => !i || share >= 0.1).slice(0, 3).map(([share, text]) => Say.fill(SAY.weight, { word: text, share: Math.round(100 * share) }));
        const listed = new Intl.ListFormat(document.documentElement.lang || "en").format(most);
        looking.textContent = Say.fill(one.model === "attention" ? SAY.looked : SAY.meanlook, { word, listed });
      }

      async function changeLanguage() {
        const wanted = choice.value;
        choice.disabled = true;
        if (await load(wanted)) language = wanted;
        choice.value = language;
        choice.disabled = false;
        box.text = box.text;
        if (tallies) tallies.turnTo(language);
      }

      results.hidden = true;
      box.text = FIRST;
      box.input.focus({ preventScroll: true });
    }
  });
}
