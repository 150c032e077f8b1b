/* Chapter 1: the gradient on its way back through a cell with a state of one number, factor by factor. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Make the gradient of the plain cell grow on its way back. Then raise the input a little: what stops it?",
    weight: "Weight w of the plain cell",
    input: "Input at every step",
    gate: "Forget gate of the LSTM",
    alt: "Two curves by steps back. At 20 steps: plain cell {plain}, LSTM {gated}.",
    result: "The state of the plain cell settles at {state}, where one step back multiplies by {factor}. 20 steps back, {plain} of the gradient is left, and {gated} through the forget gate.",
    steps: "steps back", share: "gradient that is left",
    plain: "plain cell", gated: "LSTM’s memory",
    header: ["steps back", "factor of this step", "left in the plain cell", "left in the LSTM’s memory"],
  });
  const STEPS = 40;
  const BEFORE = 200;  // steps in which the state settles

  /* h ← tanh(input + weight · h), from 0. */
  function states(weight, input, steps) {
    const found = [0];
    for (let step = 0; step < steps; step += 1) found.push(Math.tanh(input + weight * found[step]));
    return found;
  }

  /* The gradient of the last state by the state k steps before, for k from 0 to `back`. */
  function reach(weight, input, steps, back) {
    const found = states(weight, input, steps);
    const left = [1];
    for (let k = 0; k < back; k += 1) left.push(left[k] * weight * (1 - found[steps - k] ** 2));
    return left;
  }

  AM.live("gradient_back", function (stage, { weight, gate }) {
    const figure = AM.figure(stage, SAY.invite);
    const write = (value) => AM.number(value, 2);
    const w = figure.slider({ label: SAY.weight, min: 0.1, max: 1.5, step: 0.05, value: weight, write });
    const x = figure.slider({ label: SAY.input, min: 0, max: 1, step: 0.05, value: 0, write });
    const f = figure.slider({ label: SAY.gate, min: 0.5, max: 1, step: 0.01, value: gate, write });

    figure.update = function () {
      const left = reach(w.value, x.value, BEFORE, STEPS);
      const gated = left.map((_, k) => f.value ** k);
      const said = (value) => (value >= 0.001 && value < 1000 ? AM.number(value, 3) : AM.power(value));
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { plain: said(left[20]), gated: said(gated[20]) }), width: figure.width, height: 260,
        x: { from: 0, to: STEPS, name: SAY.steps }, y: { from: 1e-12, to: 1e6, name: SAY.share, log: true },
        marks: [
          { line: left.map((value, k) => [k, value]), color: "rnn", name: SAY.plain },
          { line: gated.map((value, k) => [k, value]), color: "lstm", dashes: "6 3", name: SAY.gated },
        ],
      }));
      const state = states(w.value, x.value, BEFORE)[BEFORE];
      figure.say(Say.fill(SAY.result, { state: AM.number(state, 2), factor: AM.number(w.value * (1 - state ** 2), 2), plain: said(left[20]), gated: said(gated[20]) }));
      figure.table(SAY.header, left.map((value, k) => [k, k ? AM.number(value / left[k - 1], 3) : "–", said(value), said(gated[k])]));
    };
    figure.update();
  }, { states, reach });
}
