/* Chapter 1: one number in the memory of an LSTM, whose gates the reader holds by hand. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Shut the input gate. Then find the smallest forget gate that still holds half of the 2 after 30 steps.",
    forget: "Forget gate f", input: "Input gate i", output: "Output gate o", candidate: "Candidate g",
    alt: "Two curves over 30 steps: the memory c ends at {memory}, the state h at {state}.",
    result: "After one step c = {c} and h = {h}. After 30 steps c = {last}.",
    half: "Half of the 2 is gone after {steps} steps.",
    held: "After 30 steps half of the 2 or more is still there.",
    step: "step", memory: "memory c", state: "state h",
    header: ["step", "memory c", "state h"],
  });
  const STEPS = 30;

  /* Memory and state from step 0 on: c ← f · c + i · g, and h = o · tanh(c). */
  function remember(start, { forget, input, output, candidate }, steps = STEPS) {
    const memory = [start];
    for (let step = 0; step < steps; step += 1) memory.push(forget * memory[step] + input * candidate);
    return { memory, state: memory.map((c) => output * Math.tanh(c)) };
  }

  AM.live("lstm_memory", function (stage, { start, gates }) {
    const figure = AM.figure(stage, SAY.invite);
    const write = (value) => AM.number(value, 2);
    const gate = (name) => figure.slider({ label: SAY[name], min: 0, max: 1, step: 0.01, value: gates[name], write });
    const forget = gate("forget"), input = gate("input"), output = gate("output");
    const candidate = figure.slider({ label: SAY.candidate, min: -1, max: 1, step: 0.1, value: gates.candidate, write });

    figure.update = function () {
      const set = { forget: forget.value, input: input.value, output: output.value, candidate: candidate.value };
      const { memory, state } = remember(start, set);
      const curve = (values) => values.map((value, step) => [step, value]);
      const last = AM.number(memory[STEPS], 2);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { memory: last, state: AM.number(state[STEPS], 2) }), width: figure.width, height: 250,
        x: { from: 0, to: STEPS, name: SAY.step }, y: { from: -2.5, to: 3, ticks: [-2, -1, 0, 1, 2, 3] },
        marks: [
          { line: [[0, 1], [STEPS, 1]], color: "gray", width: 1, dashes: "2 3" },
          { line: curve(memory), color: "lstm", name: SAY.memory },
          { line: curve(state), color: "blue", dashes: "6 3", name: SAY.state },
        ],
      }));
      const half = memory.findIndex((c) => c < start / 2);
      const result = Say.fill(SAY.result, { c: AM.number(memory[1], 2), h: AM.number(state[1], 3), last });
      figure.say(`${result} ${half < 0 ? SAY.held : Say.fill(SAY.half, { steps: half })}`);
      figure.table(SAY.header, memory.map((c, step) => [step, AM.number(c, 3), AM.number(state[step], 3)]));
    };
    figure.update();
  }, { remember });
}
