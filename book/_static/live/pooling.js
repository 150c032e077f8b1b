/* Chapter 9: concat pooling of states that the reader sets: the last one, the maximum, the mean. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Change one number so that the mean changes, and neither the last state nor the maximum. Then let the padding count, as a careless program does: what is wrong now?",
    words: "Words in the text",
    padding: "padding counts, too",
    state: "State of “{word}”",
    number: "number {n}",
    pad: "padding",
    views: ["last", "maximum", "mean"],
    alt: "The pooled vector: two numbers of each of the three views.",
    result: "The head is given six numbers: {vector}.",
    header: ["view", "number 1", "number 2"],
  });

  /* states: a list of vectors, of which the first `real` are words: 3 vectors, side by side. */
  function pool(states, real) {
    const words = states.slice(0, real);
    const over = (combine) => words[0].map((_, n) => combine(words.map((state) => state[n])));
    return [
      words[real - 1],
      over((numbers) => Math.max(...numbers)),
      over((numbers) => numbers.reduce((a, b) => a + b) / real),
    ];
  }

  AM.live("pooling", function (stage, { words, states }) {
    const figure = AM.figure(stage, SAY.invite);
    const count = figure.slider({ label: SAY.words, min: 1, max: states.length, value: 3 });
    const careless = figure.check({ label: SAY.padding });
    const fields = states.map(function (state, place) {
      figure.row(Say.fill(SAY.state, { word: words[place] }));
      return state.map((value, n) => figure.number({ label: Say.fill(SAY.number, { n: n + 1 }), value, min: -99, max: 99, step: 0.1 }));
    });

    figure.update = function () {
      const given = fields.map((pair) => pair.map((one) => one.value));
      fields.forEach(function (pair, place) {
        const name = pair[0].input.closest(".am-control").querySelector("span");
        name.textContent = place < count.value ? Say.fill(SAY.state, { word: words[place] }) : SAY.pad;
        pair[0].input.closest(".am-control").setAttribute("aria-label", name.textContent);
      });
      const pooled = pool(given, careless.value ? given.length : count.value);
      const write = (value) => AM.number(value, 2);
      figure.draw(AM.heat({
        alt: SAY.alt, rows: [Say.fill(SAY.number, { n: 1 }), Say.fill(SAY.number, { n: 2 })], columns: SAY.views, most: 2, write,
        values: [0, 1].map((n) => pooled.map((view) => view[n])),
      }));
      figure.say(Say.fill(SAY.result, { vector: pooled.flat().map(write).join(", ") }));
      figure.table(SAY.header, pooled.map((view, i) => [SAY.views[i], ...view.map((value) => AM.number(value, 4))]));
    };
    figure.update();
  }, { pool });
}
