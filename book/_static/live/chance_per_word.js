/* Chapter 3: what a chance per word makes of a sentence, beside what was measured. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Find the chance per word whose curve follows the measured one. Why is there none?",
    chance: "Chance that a word is right",
    length: "Words in the sentence",
    alt: "Two falling curves. At {n} words: {whole} with a chance of {p} per word, {measured} measured.",
    result: "With {p} per word, {n} words are right with probability {whole}. Measured: {measured}. For that a word would have to be right with {needed}.",
    words: "source words", share: "without a mistake",
    computed: "chance per word, to the power of n", measured: "measured",
    header: ["words n", "measured", "your chance to the power of n", "chance per word that would give the measured share"],
  });

  /* Every one of n words is right, each on its own. */
  const whole = (chance, n) => chance ** n;
  /* The chance per word that gives this share of whole sentences. */
  const perWord = (share, n) => share ** (1 / n);

  AM.live("chance_per_word", function (stage, { lengths, means, lows, highs }) {
    const figure = AM.figure(stage, SAY.invite);
    const chance = figure.slider({ label: SAY.chance, min: 0.8, max: 1, step: 0.005, value: 0.97, write: (v) => AM.number(v, 3) });
    const length = figure.slider({ label: SAY.length, of: lengths, value: lengths[Math.floor(lengths.length / 2)] });

    figure.update = function () {
      const p = chance.value, n = length.value, at = lengths.indexOf(n);
      const curve = Array.from({ length: 28 }, (_, i) => [i + 3, whole(p, i + 3)]);
      const write = (value) => AM.number(value, 2);
      const said = { p: AM.number(p, 3), n, whole: write(whole(p, n)), measured: write(means[at]) };
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, said), width: figure.width, height: 270,
        x: { from: 3, to: 30, name: SAY.words }, y: { from: 0, to: 1.03, name: SAY.share, ticks: [0, 0.25, 0.5, 0.75, 1] },
        marks: [
          { band: lengths.map((x, i) => [x, lows[i], highs[i]]), color: "fixed" },
          { line: lengths.map((x, i) => [x, means[i]]), color: "fixed", name: SAY.measured },
          { points: lengths.map((x, i) => [x, means[i]]), color: "fixed" },
          { line: curve, color: "orange", dashes: "6 3", name: SAY.computed },
          { points: [[n, whole(p, n)]], color: "orange", size: 5 },
        ],
      }));
      figure.say(Say.fill(SAY.result, { ...said, needed: AM.number(perWord(means[at], n), 3) }));
      figure.table(SAY.header, lengths.map((x, i) => [x, AM.number(means[i], 3), AM.number(whole(p, x), 3), AM.number(perWord(means[i], x), 3)]));
    };
    figure.update();
  }, { whole, perWord });
}
