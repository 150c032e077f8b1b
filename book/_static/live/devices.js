/* Chapter 9: a rate for each layer, a slanted triangle and gradual unfreezing, all at once: which layer
   is trained how fast at which step? */
"use strict";
{
  const SAY = Say.texts({
    invite: "How much less than the head may the embedding move? Switch the devices off one by one until both may move equally far: which of the three protects the embedding most?",
    rate: "Rate of the head",
    factor: "Each layer below: divided by",
    cut: "Share of the steps that rise",
    every: "One more layer after (steps)",
    step: "step",
    axis: "learning rate",
    alt: "The learning rate by step, one curve for each of {names}. A curve begins where its layer is unfrozen.",
    result: "If each step moved a weight by its rate, one of the head could move {top} in all, one of the embedding {bottom}: {times} times less.",
    header: ["layer", "trained from step", "highest rate", "sum of its rates"],
  });
  const RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05];
  const DRESS = [["pink", "2 3"], ["green", "7 3 2 3"], ["blue", "7 3"], ["orange", "none"]];

  /* Of the layer `below` the head by so many places. */
  function layerRate(rate, factor, below) { return rate / factor ** below; }

  /* The slanted triangle: up to 1 during `share` of the steps, then down to 1/32. */
  function triangle(step, total, share, ratio = 32) {
    const cut = Math.floor(total * share + 1e-9);
    const at = Math.min(step, total);
    const height = at < cut ? at / cut : 1 - (at - cut) / (total - cut);
    return (1 + height * (ratio - 1)) / ratio;
  }

  /* The rate at each step, one list for each layer, from the bottom to the top; frozen is 0. */
  function plan(layers, total, rate, factor, share, every) {
    return Array.from({ length: layers }, function (_, place) {
      const below = layers - 1 - place;
      return Array.from({ length: total }, (__, step) => (
        step < below * every ? 0 : layerRate(rate, factor, below) * triangle(step, total, share)));
    });
  }

  AM.live("devices", function (stage, { layers, steps, every: between }) {
    const figure = AM.figure(stage, SAY.invite);
    const rate = figure.slider({ label: SAY.rate, of: RATES, value: 0.01 });
    const factor = figure.slider({ label: SAY.factor, min: 1, max: 5, step: 0.1, value: 2.6, write: (value) => AM.number(value, 1) });
    const share = figure.slider({ label: SAY.cut, min: 0, max: 0.9, step: 0.05, value: 0.1, write: (value) => AM.number(value, 2) });
    const every = figure.slider({ label: SAY.every, min: 0, max: Math.floor(steps / layers.length), value: between });

    figure.update = function () {
      const rates = plan(layers.length, steps, rate.value, factor.value, share.value, every.value);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { names: layers.join(", ") }), width: figure.width, height: 290,
        x: { from: 0, to: steps, name: SAY.step }, y: { from: 1e-6, to: 0.1, name: SAY.axis, log: true },
        marks: rates.map((list, i) => ({
          line: list.map((value, step) => [step, value]).filter(([, value]) => value > 0),
          color: DRESS[i][0], dashes: DRESS[i][1], name: layers[i],
        })).reverse(),
      }));
      const sums = rates.map((list) => list.reduce((a, b) => a + b, 0));
      const [bottom, top] = [sums[0], sums[sums.length - 1]];
      figure.say(Say.fill(SAY.result, { top: AM.number(top, 3), bottom: AM.number(bottom, 4), times: AM.number(top / bottom, top / bottom < 10 ? 1 : 0) }));
      figure.table(SAY.header, layers.map((name, i) => [name, (layers.length - 1 - i) * every.value,
        AM.power(Math.max(...rates[i])), AM.number(sums[i], 4)]).reverse());
    };
    figure.update();
  }, { plan, triangle });
}
