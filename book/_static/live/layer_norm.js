/* Chapter 6: LayerNorm of four numbers that the reader sets. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Find four other numbers that give the same result. Then make one of them huge: how large can a result get?",
    numbers: "Numbers", gain: "Gain g", shift: "Shift b",
    alt: "Bars of {before} before the norm and of {after} after it.",
    result: "Mean {mean}, standard deviation {deviation}. After the norm: {after}.",
    before: "before", after: "after",
    header: ["number", "before", "less the mean", "after"],
  });
  const NAMES = ["x₁", "x₂", "x₃", "x₄"];
  const list = (texts) => `(${texts.join(", ")})`;
  const EPSILON = 1e-5;  // as in torch

  function layerNorm(x, gain = 1, shift = 0) {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((sum, one) => sum + (one - mean) ** 2, 0) / x.length;
    const after = x.map((one) => gain * (one - mean) / Math.sqrt(variance + EPSILON) + shift);
    return { mean, deviation: Math.sqrt(variance), after };
  }

  AM.live("layer_norm", function (stage, { numbers }) {
    const figure = AM.figure(stage, SAY.invite);
    figure.row(SAY.numbers);
    const fields = numbers.map((value, i) => figure.number({ label: NAMES[i], value, min: -1e6, max: 1e6, step: 1 }));
    figure.row();
    const write = (value) => AM.number(value, 1);
    const gain = figure.slider({ label: SAY.gain, min: -2, max: 2, step: 0.1, value: 1, write });
    const shift = figure.slider({ label: SAY.shift, min: -2, max: 2, step: 0.1, value: 0, write });

    figure.update = function () {
      const x = fields.map((field) => field.value);
      const { mean, deviation, after } = layerNorm(x, gain.value, shift.value);
      const said = after.map((value) => AM.number(value, 3));
      const room = stage.clientWidth > 620 ? Math.min(330, stage.clientWidth / 2 - 24) : figure.width;
      const names = NAMES.slice(0, x.length);
      const [low, high] = [Math.min(0, ...x), Math.max(0, ...x)];
      const pad = 0.12 * (high - low) || 1;
      const bars = (values, name, range, color) => AM.chart({
        alt: Say.fill(SAY.alt, { before: list(x.map(String)), after: list(said) }), width: room, height: 210,
        x: { names }, y: { from: range[0], to: range[1], name },
        marks: [{ bars: values, color }],
      });
      figure.draw(bars(x, SAY.before, [low - (low < 0 ? pad : 0), high + pad], "blue"), bars(after, SAY.after, [-4.2, 4.2], "orange"));
      figure.say(Say.fill(SAY.result, { mean: AM.number(mean, 2), deviation: AM.number(deviation, 3), after: list(said) }));
      figure.table(SAY.header, x.map((one, i) => [names[i], one, AM.number(one - mean, 3), said[i]]));
    };
    figure.update();
  }, { layerNorm });
}
