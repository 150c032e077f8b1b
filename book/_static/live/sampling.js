/* Temperature, top-k and top-p, as course_lib/decoding/sampling.py applies them, in this order; and
   drawing.

       const random = AM.random(1);
       const { order, before, after } = AM.truncated(logits, { temperature: 0.7, topP: 0.9 });
       const token = AM.draw(after, random());

   `before` are the probabilities at this temperature, `after` those that are left when top-k and top-p
   have cut, `order` all tokens from the most probable to the least. */
"use strict";
{
  AM.truncated = function (logits, { temperature = 1, topK = Infinity, topP = 1, never = [] }) {
    const scores = Float64Array.from(logits);
    for (const token of never) scores[token] = -Infinity;
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = scores.map((score) => Math.exp((score - top) / temperature));
    const sum = powers.reduce((a, b) => a + b, 0);
    const before = powers.map((power) => power / sum);
    const order = [...before.keys()].sort((a, b) => before[b] - before[a]);  // equal ones stay in place

    let kept = order.slice(0, topK);
    if (topP < 1) {
      const all = kept.reduce((total, token) => total + before[token], 0);
      let above = 0;  // the probability of all that are more probable
      kept = kept.filter(function (token) {
        const stays = above < topP;
        above += before[token] / all;
        return stays;
      });
    }
    const total = kept.reduce((all, token) => all + before[token], 0);
    const after = new Float64Array(before.length);
    for (const token of kept) after[token] = before[token] / total;
    return { order, before, after };
  };

  /* A token, drawn with these probabilities by a number from 0 to 1. */
  AM.draw = function (probabilities, number) {
    let token = -1;
    for (let i = 0; i < probabilities.length && (number >= 0 || token < 0); i++) {
      if (probabilities[i] > 0) { token = i; number -= probabilities[i]; }
    }
    return token;
  };

  /* Numbers from 0 to 1 that look random, the same ones for the same seed (mulberry32). */
  AM.random = function (seed) {
    let state = seed >>> 0;
    return function () {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  };
}
