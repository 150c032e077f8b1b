/* How many sentences of each length the translators got right while the reader played: a curve, the
   same numbers as a table, the counts behind both, and a button that adds ten of each length. */
"use strict";
AM.tally = function () {
  const { element } = AM;
  const SAY = Say.texts({
    alt: "Share of sentences without a mistake, by length.",
    point: "{right} of {all} at {range} words",
    x: "words in the sentence",
    y: "without a mistake",
    none: "No sentence has been translated yet.",
    one: "One sentence so far. Without a mistake: {found}.",
    sum: "{all} sentences so far. Without a mistake: {found}.",
    numbers: "Numbers of this curve",
    words: "words", sentences: "sentences",
    cell: "{right} of {all}",
  });
  const RANGES = [[3, 6], [7, 9], [10, 12], [13, 15], [16, 18], [19, 21], [22, 24], [25, 27], [28, 30], [31, 40], [41, 60]];
  const DASHES = { fixed: "none", attention: "7 4", transformer: "7 3 2 3" };
  const write = ([from, to]) => `${from}–${to}`;
  const picture = element("div", { class: "am-drawing" });
  const sum = element("p", { class: "am-result" });
  const numbers = element("div", { class: "am-table" });
  const box = element("div", { class: "am-tally" }, picture, sum,
    element("details", {}, element("summary", {}, SAY.numbers), numbers));
  let counts = new Map();  // number of the range → { all, fixed, attention, transformer }
  const seen = new Set();

  function show(names, width) {
    const rows = [...counts].sort(([a], [b]) => a - b);
    const models = Object.keys(names);
    const marks = models.flatMap(function (model) {
      const points = rows.map(([range, one]) => [(RANGES[range][0] + RANGES[range][1]) / 2, one[model] / one.all]);
      return [{ line: points, color: model, dashes: DASHES[model], name: names[model] }, { points, color: model }];
    });
    const lines = models.map((model) => `${names[model]}: ${rows.map(([range, one]) =>
      Say.fill(SAY.point, { range: write(RANGES[range]), right: one[model], all: one.all })).join(", ")}.`);
    const far = [31, 41, 60][Math.max(0, ...rows.map(([range]) => range - 8))];
    picture.replaceChildren(AM.chart({
      alt: rows.length ? [SAY.alt, ...lines].join(" ") : SAY.none, width, height: 240, marks,
      x: { from: 3, to: far, name: SAY.x, ticks: [5, 10, 15, 20, 25, 30, 40, 50, 60].filter((x) => x <= far) },
      y: { from: 0, to: 1, name: SAY.y, ticks: [0, 0.5, 1], write: (share) => `${100 * share}%` },
    }));
    const total = (what) => rows.reduce((all, [, one]) => all + one[what], 0);
    sum.textContent = rows.length
      ? Say.fill(total("all") === 1 ? SAY.one : SAY.sum, {
        all: total("all"), found: models.map((model) => `${names[model]} ${total(model)}`).join(", "),
      }) : SAY.none;
    const cells = (name, texts) => element("tr", {}, ...texts.map((text) => element(name, name === "th" ? { scope: "col" } : {}, String(text))));
    numbers.replaceChildren(element("table", {},
      element("thead", {}, cells("th", [SAY.words, SAY.sentences, ...models.map((model) => names[model])])),
      element("tbody", {}, ...rows.map(([range, one]) => cells("td",
        [write(RANGES[range]), one.all, ...models.map((model) => Say.fill(SAY.cell, { right: one[model], all: one.all }))])))));
  }

  return {
    element: box,
    show,
    ranges: RANGES.slice(0, 10),
    /* Count a sentence of so many words once; `right`: for each model, whether it made no mistake. */
    add(sentence, length, right) {
      if (seen.has(sentence)) return;
      seen.add(sentence);
      const range = RANGES.findIndex(([, to]) => length <= to);
      const one = counts.get(range) || { all: 0 };
      one.all += 1;
      for (const [model, well] of Object.entries(right)) one[model] = (one[model] || 0) + (well ? 1 : 0);
      counts.set(range, one);
    },
    clear() { counts = new Map(); seen.clear(); },
  };
};

/* The panel: a tally for each language, one of them on show. `translate(language, words, goOn)` gives
   what each model writes; `goOn` says whether it is still wanted. */
AM.tallies = function (names, languages, translate) {
  const { element } = AM;
  const SAY = Say.texts({
    title: "How far does each one get?",
    note: "Every sentence that you translate counts here, once. The button adds sentences drawn by chance that no model was trained on.",
    run: "Ten of each length", stop: "Stop", clear: "Clear the curve",
    progress: "{done} of {all} sentences.",
  });
  const EACH = 10;
  const all = Object.fromEntries(languages.map((name) => [name, AM.tally()]));
  const place = element("div");
  const progress = element("p", { class: "am-running", role: "status" });
  const run = element("button", { type: "button" }, SAY.run);
  const clear = element("button", { type: "button" }, SAY.clear);
  const box = element("div", { class: "am-curve" }, element("p", { class: "title" }, SAY.title), element("p", {}, SAY.note),
    element("div", { class: "am-control" }, run, clear), progress, place);
  let language = languages[0];
  let turn = 0;  // odd while sentences are being added; a change ends that

  const same = (a, b) => a.length === b.length && a.every((word, i) => word === b[i]);

  function show() {
    if (place.firstChild !== all[language].element) place.replaceChildren(all[language].element);
    all[language].show(names, Math.max(280, Math.min(560, box.clientWidth || 560)));
  }

  function count(words, wanted, written) {
    const right = Object.fromEntries(Object.entries(written).map(([model, found]) => [model, same(found, wanted)]));
    all[language].add(words.join(" "), words.length, right);
    show();
  }

  function stop() {
    if (turn % 2) turn += 1;
    run.textContent = SAY.run;
  }

  async function addTen() {
    if (turn % 2) { stop(); return; }
    const mine = turn += 1;
    const goOn = () => turn === mine;
    const { ranges } = all[language];
    run.textContent = SAY.stop;
    let done = 0;
    for (let n = 0; n < EACH; n += 1) {
      for (const [from, to] of ranges) {
        const meaning = AM.meaning.draw(from + Math.floor((to - from + 1) * Math.random()));
        const words = AM.grammar.english(meaning);
        const written = await translate(language, words, goOn);
        if (!goOn()) return;
        count(words, AM.grammar[language](meaning), written);
        done += 1;
        if (done % ranges.length === 0) progress.textContent = Say.fill(SAY.progress, { done, all: EACH * ranges.length });
      }
    }
    stop();
  }

  run.addEventListener("click", addTen);
  clear.addEventListener("click", function () {
    stop();
    progress.textContent = "";
    all[language].clear();
    show();
  });
  let wide = 0;
  new ResizeObserver(function () {
    if (box.clientWidth !== wide) { wide = box.clientWidth; show(); }
  }).observe(box);

  return {
    element: box,
    count,
    turnTo(name) {
      stop();
      progress.textContent = "";
      language = name;
      show();
    },
  };
};
