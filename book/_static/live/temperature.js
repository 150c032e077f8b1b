/* Chapter 0: scores that the reader sets become probabilities, at a temperature that the reader sets. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Find the temperature at which “sat” gets one half. Then set it back to 1 and reach one half by the score of “sat” alone.",
    scores: "Scores",
    temperature: "Temperature",
    came: "What really came",
    alt: "Bars of the probabilities: {listed}.",
    result: "“{word}” has the probability {p}. If it is what came, the loss is −log {p} = {loss} nats.",
    axis: "probability",
    header: ["word", "score", "score / temperature", "probability", "loss if it came (nats)"],
  });
  const TEMPERATURES = [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.25, 1.3, 1.4, 1.5, 1.75,
    2, 2.5, 3, 4, 5, 7, 10];

  function softmax(scores, temperature) {
    const top = Math.max(...scores);  // subtracted, so that no exponential overflows
    const powers = scores.map((score) => Math.exp((score - top) / temperature));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  }

  /* −log softmax, without a logarithm of a probability that has become 0. */
  function loss(scores, temperature, right) {
    const top = Math.max(...scores);
    const sum = scores.reduce((a, score) => a + Math.exp((score - top) / temperature), 0);
    return Math.log(sum) - (scores[right] - top) / temperature;
  }

  AM.live("temperature", function (stage, { words, scores }) {
    const figure = AM.figure(stage, SAY.invite);
    const heat = figure.slider({ label: SAY.temperature, of: TEMPERATURES, value: 1 });
    const came = figure.choice({ label: SAY.came, options: words.map((word, i) => [i, word]), value: 0 });
    figure.row(SAY.scores);
    const fields = scores.map((value, i) => figure.number({ label: words[i], value, min: -99, max: 99, step: 0.1 }));

    figure.update = function () {
      const set = fields.map((field) => field.value);
      const found = softmax(set, heat.value);
      const said = found.map((p) => AM.number(p, 2));
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { listed: words.map((word, i) => `${word} ${said[i]}`).join(", ") }),
        width: figure.width, height: 240,
        x: { names: words }, y: { from: 0, to: 1.12, name: SAY.axis, ticks: [0, 0.5, 1] },
        marks: [{ bars: found, labels: said, color: "blue", colors: { [came.value]: "orange" } }],
      }));
      const lost = loss(set, heat.value, came.value);
      figure.say(Say.fill(SAY.result, { word: words[came.value], p: said[came.value], loss: AM.number(lost, 2) }));
      figure.table(SAY.header, words.map((word, i) => [word, AM.number(set[i], 1), AM.number(set[i] / heat.value, 2),
        AM.number(found[i], 4), AM.number(loss(set, heat.value, i), 4)]));
    };
    figure.update();
  }, { softmax, loss });
}
