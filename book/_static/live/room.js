/* Chapter 3: how many bits a sentence needs at most, and how many a vector has room for. */
"use strict";
{
  const SAY = Say.texts({
    invite: "How coarse may each number of the vector be until 30 words no longer fit? Try 1 bit, a mere yes or no.",
    width: "Numbers in the vector, D", bits: "Bits of each number", length: "Words in the sentence", words: "Words in the vocabulary",
    alt: "Two bars: the sentence needs {needed} bits, the vector has room for {room}.",
    fits: "The sentence needs at most {needed} bits and the vector has {room}. It would fit; the longest that does has {most} words.",
    not: "The sentence needs up to {needed} bits and the vector has only {room}. The longest that surely fits has {most} words.",
    sentence: "sentence", vector: "vector", axis: "bits",
    header: ["bits of each number", "room of the vector (bits)", "words that fit"],
  });

  /* Each word is one of `words`: log₂ of that many bits. */
  const needed = (length, words) => length * Math.log2(words);
  const room = (width, bits) => width * bits;
  const longest = (width, bits, words) => Math.floor(room(width, bits) / Math.log2(words) + 1e-9);

  AM.live("room", function (stage, { words }) {
    const figure = AM.figure(stage, SAY.invite);
    const write = (value) => AM.number(value);
    const BITS = [1, 2, 4, 8, 16, 32];
    const width = figure.slider({ label: SAY.width, of: [8, 16, 32, 64, 128, 256, 512], value: 128, write });
    const bits = figure.slider({ label: SAY.bits, of: BITS, value: 32, write });
    const length = figure.slider({ label: SAY.length, min: 4, max: 60, value: 30 });
    const size = figure.number({ label: SAY.words, min: 2, max: 1e6, step: 1, value: words });

    figure.update = function () {
      const [need, has] = [needed(length.value, size.value), room(width.value, bits.value)];
      const most = longest(width.value, bits.value, size.value);
      const said = { needed: write(need), room: write(has), most: write(most) };
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, said), width: Math.min(360, figure.width), height: 220,
        x: { names: [SAY.sentence, SAY.vector] }, y: { from: 0, to: 1.15 * Math.max(need, has), name: SAY.axis },
        marks: [{ bars: [need, has], labels: [said.needed, said.room], color: "source", colors: { 0: "orange" } }],
      }));
      figure.say(Say.fill(need <= has ? SAY.fits : SAY.not, said));
      figure.table(SAY.header, BITS.map((b) => [b, write(room(width.value, b)), write(longest(width.value, b, size.value))]));
    };
    figure.update();
  }, { needed, room, longest });
}
