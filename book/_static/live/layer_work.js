/* Chapter 5: the multiplications of self-attention and of an LSTM, beside the times that were measured. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Where does the counted curve cross 1, for any d? And how far from there do the measured ones cross it?",
    width: "Width d", length: "Words n", mode: "Measured",
    modes: { forward: "forward", training: "forward and backward" },
    alt: "The counted ratio for width {d} falls with the number of words; at {n} words it is {ratio}.",
    more: "For {n} words of width {d} the LSTM takes {lstm} million multiplications and self-attention {attention} million. By count, self-attention is {ratio} times as fast.",
    cross: "Both count the same at {n} words.",
    words: "words n", ratio: "LSTM / self-attention",
    counted: "counted, d = {d}", measured: "measured, d = {d}",
    header: ["words n", "LSTM", "self-attention", "ratio"],
  });

  /* Multiplications of one layer for one sentence: an LSTM has eight d × d matrices (four gates, each
     for the input and for the state); self-attention four, and two products of n × n pairs. */
  const lstm = (n, d) => 8 * n * d * d;
  const attention = (n, d) => 4 * n * d * d + 2 * n * n * d;
  const crossing = (d) => 2 * d;

  AM.live("layer_work", function (stage, { lengths, measured }) {
    const figure = AM.figure(stage, SAY.invite);
    const write = (value) => AM.number(value);
    const width = figure.slider({ label: SAY.width, of: [16, 32, 64, 128, 256, 512, 1024], value: 64, write });
    const length = figure.slider({ label: SAY.length, of: lengths, value: lengths[lengths.length >> 1], write });
    const mode = figure.choice({ label: SAY.mode, options: Object.entries(SAY.modes), value: "training" });
    const dress = { 64: ["blue", "none"], 128: ["orange", "6 3"], 256: ["green", "7 3 2 3"] };

    figure.update = function () {
      const n = length.value, d = width.value;
      const ratio = (size) => lstm(size, d) / attention(size, d);
      const shown = AM.number(ratio(n), 2);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { n, d, ratio: shown }), width: figure.width, height: 290,
        x: { from: lengths[0], to: lengths[lengths.length - 1], name: SAY.words, log: true,
          ticks: lengths.filter((_, i) => i % (figure.width < 420 ? 4 : 2) === 0), write },
        y: { from: 0.05, to: 5, name: SAY.ratio, log: true, ticks: [0.1, 0.2, 0.5, 1, 2, 4], write: String },
        marks: [
          { line: [[lengths[0], 1], [lengths[lengths.length - 1], 1]], color: "gray", width: 1 },
          ...Object.entries(measured[mode.value]).flatMap(([size, ratios]) => [
            { band: ratios.map(([low, , high], i) => [lengths[i], low, high]), color: dress[size][0] },
            { line: ratios.map(([, mean], i) => [lengths[i], mean]), color: dress[size][0], dashes: dress[size][1], name: Say.fill(SAY.measured, { d: size }) },
          ]),
          { line: lengths.map((size) => [size, ratio(size)]), color: "ink", width: 2.8, name: Say.fill(SAY.counted, { d }) },
          { points: [[n, ratio(n)]], color: "ink", size: 5 },
        ],
      }));
      const millions = (count) => AM.number(count / 1e6, 1);
      figure.say(`${Say.fill(SAY.more, { n: write(n), d: write(d), lstm: millions(lstm(n, d)), attention: millions(attention(n, d)), ratio: shown })} ${Say.fill(SAY.cross, { n: write(crossing(d)) })}`);
      figure.table(SAY.header, lengths.map((size) => [write(size), write(lstm(size, d)), write(attention(size, d)), AM.number(ratio(size), 3)]));
    };
    figure.update();
  }, { lstm, attention, crossing });
}
