/* Chapter 0: gradient descent in the valley ½ (x² + steep · y²), with a rate that the reader sets. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Find the largest rate that still comes to the bottom. Then make the valley steeper: what is the limit now?",
    rate: "Learning rate",
    steep: "Steepness in y",
    map: "The path from (2, 1).",
    curve: "The loss at each step.",
    step: "step", loss: "loss", yours: "yours",
    named: "rate {rate}",
    result: "One step multiplies x by {x} and y by {y}. After 20 steps the loss is {loss}.",
    header: ["step", "x", "y", "loss"],
  });
  const START = [2, 1];
  const STEPS = 20;
  const DRESS = [["blue", "none"], ["green", "6 3"], ["orange", "7 3 2 3"]];

  const loss = ([x, y], steep) => 0.5 * (x ** 2 + steep * y ** 2);

  /* The points on the way: each step subtracts the rate times the gradient (x, steep · y). */
  function path(rate, steep, steps = STEPS) {
    const points = [START];
    for (let step = 0; step < steps; step += 1) {
      const [x, y] = points[step];
      points.push([x - rate * x, y - rate * steep * y]);
    }
    return points;
  }

  /* Where the loss has the value `level`: an ellipse. */
  function contour(level, steep) {
    return Array.from({ length: 61 }, (_, i) => [
      Math.sqrt(2 * level) * Math.cos(i * Math.PI / 30), Math.sqrt(2 * level / steep) * Math.sin(i * Math.PI / 30)]);
  }

  AM.live("descent", function (stage, { rates }) {
    const figure = AM.figure(stage, SAY.invite);
    const rate = figure.slider({ label: SAY.rate, min: 0.01, max: 1.1, step: 0.01, value: 0.4, write: (v) => AM.number(v, 2) });
    const steep = figure.slider({ label: SAY.steep, min: 1, max: 10, value: 4 });

    figure.update = function () {
      const own = path(rate.value, steep.value);
      const ways = rates.map((one, i) => ({ points: path(one, steep.value), color: DRESS[i][0], dashes: DRESS[i][1], name: Say.fill(SAY.named, { rate: one }) }));
      ways.push({ points: own, color: "ink", name: SAY.yours, width: 2.8 });
      const losses = (points) => points.map((point, step) => [step, loss(point, steep.value)]);
      const room = stage.clientWidth > 620 ? Math.min(380, stage.clientWidth / 2 - 24) : figure.width;
      figure.draw(
        AM.chart({
          alt: SAY.map, width: room, height: 280,
          x: { from: -1, to: 2.3, name: "x" }, y: { from: -5, to: 5, name: "y" },
          marks: [
            ...[0.1, 0.5, 2, 5, 10, 20, 35].map((level) => ({ line: contour(level, steep.value), color: "gray", width: 0.7 })),
            ...ways.flatMap(({ points, name, ...look }) => [{ line: points, ...look }, { points, color: look.color, size: 2.5 }]),
          ],
        }),
        AM.chart({
          alt: SAY.curve, width: room, height: 280,
          x: { from: 0, to: STEPS, name: SAY.step }, y: { from: 1e-8, to: 1e3, name: SAY.loss, log: true },
          marks: ways.map(({ points, ...look }) => ({ line: losses(points), ...look })),
        }),
      );
      const end = loss(own[STEPS], steep.value);
      const written = (value) => (value > 0.001 && value < 1e5 ? AM.number(value, 3) : AM.power(value));
      figure.say(Say.fill(SAY.result, { x: AM.number(1 - rate.value, 2), y: AM.number(1 - rate.value * steep.value, 2), loss: written(end) }));
      figure.table(SAY.header, own.map((point, step) => [step, AM.number(point[0], 3), AM.number(point[1], 3), written(loss(point, steep.value))]));
    };
    figure.update();
  }, { path, loss });
}
