/* Chapter 6: LayerNorm of four numbers that the reader sets. */
"use strict";
{
  const SAY = {
    invite: "Find four other numbers that give the same result. Then make one of them huge: how large can a result get?",
    numbers: "Numbers", gain: "Gain g", shift: "Shift b",
    number: (i) => `x${"₁₂₃₄"[i]}`,
    alt: (before, after) => `Bars of ${before} before the norm and of ${after} after it.`,
    result: (mean, deviation, after) => `Mean ${mean}, standard deviation ${deviation}. After the norm: ${after}.`,
    before: "before", after: "after",
    list: (texts) => `(${texts.join(", ")})`,
    header: ["number", "before", "less the mean", "after"],
  };
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
    const fields = numbers.map((value, i) => figure.number({ label: SAY.number(i), value, min: -1e6, max: 1e6, step: 1 }));
    figure.row();
    const write = (value) => AM.number(value, 1);
    const gain = figure.slider({ label: SAY.gain, min: -2, max: 2, step: 0.1, value: 1, write });
    const shift = figure.slider({ label: SAY.shift, min: -2, max: 2, step: 0.1, value: 0, write });

    figure.update = function () {
      const x = fields.map((field) => field.value);
      const { mean, deviation, after } = layerNorm(x, gain.value, shift.value);
      const said = after.map((value) => AM.number(value, 3));
      const room = stage.clientWidth > 620 ? Math.min(330, stage.clientWidth / 2 - 24) : figure.width;
      const names = x.map((_, i) => SAY.number(i));
      const [low, high] = [Math.min(0, ...x), Math.max(0, ...x)];
      const pad = 0.12 * (high - low) || 1;
      const bars = (values, name, range, color) => AM.chart({
        alt: SAY.alt(SAY.list(x.map(String)), SAY.list(said)), width: room, height: 210,
        x: { names }, y: { from: range[0], to: range[1], name },
        marks: [{ bars: values, color }],
      });
      figure.draw(bars(x, SAY.before, [low - (low < 0 ? pad : 0), high + pad], "blue"), bars(after, SAY.after, [-4.2, 4.2], "orange"));
      figure.say(SAY.result(AM.number(mean, 2), AM.number(deviation, 3), SAY.list(said)));
      figure.table(SAY.header, x.map((one, i) => [names[i], one, AM.number(one - mean, 3), said[i]]));
    };
    figure.update();
  }, { layerNorm });
}
