/* Chapter 4: one query, three keys: scores, weights, and the context that they mix. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Turn the query until “sleeps” has most of the weight. Then make it three times as long in the same direction: what changes, what does not?",
    query: "Query", first: "first number", second: "second number",
    scale: "divide the scores by √2", allowed: "may be seen:",
    none: "At least one word must be allowed to be seen.",
    alt: "The plane with three keys, the query as an arrow, and the context at {context}.",
    result: "“{word}” has the largest weight, {weight}. The context is {context}.",
    keys: "keys, which are the values too", asks: "query", context: "context",
    header: ["word", "state", "score", "weight"],
    weight: "weight",
  });

  /* Softmax of the scores of what may be seen, and the weighted mean of the values. */
  function attend(query, keys, values, { scaled = false, allowed = keys.map(() => true) } = {}) {
    const root = scaled ? Math.sqrt(query.length) : 1;
    const scores = keys.map((key) => key.reduce((sum, k, i) => sum + k * query[i], 0) / root);
    const top = Math.max(...scores.filter((_, i) => allowed[i]));
    const powers = scores.map((score, i) => (allowed[i] ? Math.exp(score - top) : 0));
    const sum = powers.reduce((a, b) => a + b);
    const weights = powers.map((power) => power / sum);
    const context = values[0].map((_, i) => values.reduce((mix, value, s) => mix + weights[s] * value[i], 0));
    return { scores, weights, context };
  }

  AM.live("attention_by_hand", function (stage, { words, states, query }) {
    const figure = AM.figure(stage, SAY.invite);
    figure.row(SAY.query);
    const write = (value) => AM.number(value, 1);
    const numbers = [SAY.first, SAY.second].map((label, i) => figure.slider({ label, min: -3, max: 3, step: 0.1, value: query[i], write }));
    figure.row();
    const scaled = figure.check({ label: SAY.scale });
    figure.row(SAY.allowed);
    const seen = words.map((word) => figure.check({ label: word, value: true }));

    figure.update = function () {
      const q = numbers.map((one) => one.value);
      const allowed = seen.map((one) => one.value);
      if (!allowed.includes(true)) { figure.say(SAY.none); return; }
      const { scores, weights, context } = attend(q, states, states, { scaled: scaled.value, allowed });
      const pair = (vector, digits = 2) => `(${vector.map((value) => AM.number(value, digits)).join(", ")})`;
      const room = stage.clientWidth > 620 ? Math.min(330, stage.clientWidth / 2 - 24) : figure.width;
      const best = weights.indexOf(Math.max(...weights));
      figure.draw(
        AM.chart({
          alt: Say.fill(SAY.alt, { context: pair(context) }), width: room, height: 300,
          x: { from: -3, to: 3, ticks: [-2, 0, 2] }, y: { from: -3, to: 3, ticks: [-2, 0, 2] },
          marks: [
            { line: [[0, 0], q], color: "ink", name: SAY.asks },
            { points: states, color: "source", size: 5, name: SAY.keys },
            ...words.map((word, i) => ({ text: word, at: [states[i][0], states[i][1] + 0.3] })),
            { points: [context], color: "attention", size: 7, name: SAY.context },
          ],
        }),
        AM.chart({
          alt: words.map((word, i) => `${word}: ${AM.number(weights[i], 2)}`).join(", "), width: room, height: 240,
          x: { names: words }, y: { from: 0, to: 1.12, name: SAY.weight, ticks: [0, 0.5, 1] },
          marks: [{ bars: weights, labels: weights.map((one) => AM.number(one, 2)), color: "attention" }],
        }),
      );
      figure.say(Say.fill(SAY.result, { word: words[best], weight: AM.number(weights[best], 2), context: pair(context) }));
      figure.table(SAY.header, words.map((word, i) => [word, pair(states[i], 0), allowed[i] ? AM.number(scores[i], 2) : "–", AM.number(weights[i], 3)]));
    };
    figure.update();
  }, { attend });
}
