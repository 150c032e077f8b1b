/* Chapter 2: the encoder and decoder of two words, by hand: the reader gives the source. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Write “sleep cats”: where does c go? Then repeat “cats sleep” again and again: from how many words on does c stay the same?",
    source: "Source (of the words cats and sleep)",
    kept: "Share of the old state that is kept",
    unknown: "This encoder knows only “cats” and “sleep”; it has no vector for “{word}”.",
    alt: "The state moves in the plane from (0, 0) to {c}.",
    result: "After the last word c = {c}. The decoder writes “{written}”.",
    cut: "After the last word c = {c}. The decoder writes “{written} …” and finds no end in eight words.",
    path: "state after each word", first: "first number", second: "second number",
    header: ["step", "reads", "state", "writes"],
    reading: "encoder {n}", writing: "decoder {n}",
  });
  const MOST = 8;  // target words

  /* h ← tanh(x + kept · h), from (0, 0). */
  function encode(words, vectors, kept) {
    const states = [[0, 0]];
    for (const word of words) {
      const before = states[states.length - 1];
      states.push(vectors[word].map((x, i) => Math.tanh(x + kept * before[i])));
    }
    return states;
  }

  /* s ← tanh(y + ½ s + c): the word with the largest dot product is written and read next. */
  function decode(c, vectors, scores) {
    const steps = [];
    let state = c, word = "<s>";
    while (word !== "</s>" && steps.length < MOST) {
      state = vectors[word].map((y, i) => Math.tanh(y + 0.5 * state[i] + c[i]));
      const dots = Object.entries(scores).map(([name, [a, b]]) => [name, a * state[0] + b * state[1]]);
      const [best] = dots.reduce((top, one) => (one[1] > top[1] ? one : top));
      steps.push({ reads: word, state, writes: best });
      word = best;
    }
    return steps;
  }

  AM.live("two_words", function (stage, { sources, targets, scores }) {
    const figure = AM.figure(stage, SAY.invite);
    const text = figure.text({ label: SAY.source, value: "cats sleep" });
    figure.row();
    const kept = figure.slider({ label: SAY.kept, min: 0, max: 1, step: 0.05, value: 0.5, write: (v) => AM.number(v, 2) });
    const pair = (state) => `(${state.map((value) => AM.number(value, 3)).join(", ")})`;

    figure.update = function () {
      const words = text.value.toLowerCase().split(/\s+/).filter((word) => word);
      const unknown = words.find((word) => !sources[word]);
      if (unknown) { figure.say(Say.fill(SAY.unknown, { word: unknown })); return; }
      const states = encode(words, sources, kept.value);
      const c = states[states.length - 1];
      const steps = decode(c, targets, scores);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { c: pair(c) }), width: Math.min(340, figure.width), height: 320,
        x: { from: -0.05, to: 1.05, name: SAY.first, ticks: [0, 0.5, 1] },
        y: { from: -0.05, to: 1.05, name: SAY.second, ticks: [0, 0.5, 1] },
        marks: [
          { line: states, color: "source", name: SAY.path },
          { points: states, color: "source", size: 3.5 },
          { points: [c], color: "orange", size: 6 },
          { text: "c", at: [c[0], c[1] + 0.05] },
        ],
      }));
      const ended = steps[steps.length - 1].writes === "</s>";
      const written = steps.map((step) => step.writes).filter((word) => word !== "</s>").join(" ");
      figure.say(Say.fill(ended ? SAY.result : SAY.cut, { c: pair(c), written }));
      figure.table(SAY.header, [
        ...words.map((word, i) => [Say.fill(SAY.reading, { n: i + 1 }), word, pair(states[i + 1]), ""]),
        ...steps.map((step, i) => [Say.fill(SAY.writing, { n: i + 1 }), step.reads, pair(step.state), step.writes])]);
    };
    figure.update();
  }, { encode, decode });
}
