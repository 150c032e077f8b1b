/* Chapter 7: how much weight a position of a decoder gives to the place where its own answer stands. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Take away the mask, or the shift, and let the head look at the answer: which score do you have to raise each time?",
    masked: "causal mask",
    shifted: "target shifted by one place",
    own: "Score of the own place",
    right: "Score of the place to its right",
    looks: "reads → is asked for",
    row: "{reads} → {asks}",
    column: "at {reads}",
    alt: "Attention weights: a row for each position, a column for each word that is read.",
    hidden: "On average a position gives {share} of its weight to the place of its answer: it has to predict.",
    seen: "On average a position gives {share} of its weight to the place of its answer: it can read it off.",
    header: ["position", "reads", "is asked for", "weight on the place of its answer"],
  });

  /* Softmax of each row over the places that may be seen; all scores are 0 but the two that are set. */
  function weights(count, own, right, masked) {
    return Array.from({ length: count }, function (_, row) {
      const powers = Array.from({ length: count }, function (__, column) {
        if (masked && column > row) return 0;
        return Math.exp(column === row ? own : column === row + 1 ? right : 0);
      });
      const sum = powers.reduce((a, b) => a + b);
      return powers.map((power) => power / sum);
    });
  }

  /* Of each position, the weight on its answer: one place to the right, or where no shift is, its own.
     The last answer is not among the words read. */
  function onAnswer(looks, shifted) {
    return looks.map((row, position) => row[position + (shifted ? 1 : 0)] || 0);
  }

  AM.live("answers", function (stage, { words }) {
    const figure = AM.figure(stage, SAY.invite);
    const masked = figure.check({ label: SAY.masked, value: true });
    const shifted = figure.check({ label: SAY.shifted, value: true });
    figure.row();
    const write = (value) => AM.number(value, 1);
    const own = figure.slider({ label: SAY.own, min: -5, max: 10, step: 0.5, value: 0, write });
    const right = figure.slider({ label: SAY.right, min: -5, max: 10, step: 0.5, value: 0, write });
    const read = words.slice(0, -1);

    figure.update = function () {
      const asked = shifted.value ? words.slice(1) : read;
      const looks = weights(read.length, own.value, right.value, masked.value);
      figure.draw(AM.heat({
        alt: SAY.alt, said: SAY.looks, most: 1, write: (value) => AM.number(value, 2), values: looks,
        rows: read.map((word, position) => Say.fill(SAY.row, { reads: word, asks: asked[position] })), columns: read.map((reads) => Say.fill(SAY.column, { reads })),
      }));
      const found = onAnswer(looks, shifted.value);
      const share = found.reduce((a, b) => a + b) / found.length;
      figure.say(Say.fill(share > 0 ? SAY.seen : SAY.hidden, { share: AM.number(share, 2) }));
      figure.table(SAY.header, read.map((word, position) => [position, word, asked[position], AM.number(found[position], 3)]));
    };
    figure.update();
  }, { weights, onAnswer });
}
