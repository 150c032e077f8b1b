/* The arithmetic of neural networks, as much of it as the translators and the GPT of the pages need.

   A vector is a Float32Array. A matrix is { shape: [rows, columns], values: Float32Array } with row
   after row, which is how torch keeps it and how weights.js reads it from a file; a tensor with one
   dimension, a bias say, is read as a plain Float32Array. Nothing is changed in place: every function
   returns a new vector. Sums run in double precision and are rounded to 32 bits at the end, so the
   results are those of torch up to rounding.

   Shapes: E width of an input, D width of a state, S words that are asked, H heads. */
"use strict";
AM.tensors = (function () {
  /* Row `id` of a matrix (V, D): the embedding of a token. A view, not a copy. */
  function embed(matrix, id) {
    const width = matrix.shape[1];
    return matrix.values.subarray(id * width, (id + 1) * width);
  }

  /* matrix · x + bias: (D, E), (E), (D) or nothing → (D). A torch.nn.Linear. */
  function linear(x, matrix, bias) {
    const [rows, columns] = matrix.shape;
    const { values } = matrix;
    const out = new Float32Array(rows);
    for (let row = 0, at = 0; row < rows; row++) {
      let sum = bias ? bias[row] : 0;
      for (let column = 0; column < columns; column++) sum += values[at++] * x[column];
      out[row] = sum;
    }
    return out;
  }

  /* Of the whole vectors, or of the numbers from `from` up to `to`. */
  function dot(a, b, from = 0, to = a.length) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += a[i] * b[i];
    return sum;
  }

  const add = (a, b) => a.map((value, i) => value + b[i]);
  const tanh = (x) => x.map(Math.tanh);
  const relu = (x) => x.map((value) => Math.max(0, value));
  const sigmoid = (value) => 1 / (1 + Math.exp(-value));

  function concat(...parts) {
    const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  /* Scores, vector or list → weights that sum to 1. */
  function softmax(scores) {
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);  // subtracted: no overflow
    const powers = Float64Array.from(scores, (score) => Math.exp(score - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return Float32Array.from(powers, (power) => power / sum);
  }

  /* The place of the largest number; the first of them, if several are largest. */
  const argmax = (x) => x.reduce((best, value, i) => (value > x[best] ? i : best), 0);

  /* (D) → (D) with mean 0 and variance 1, then scale and shift. A torch.nn.LayerNorm. */
  function layerNorm(x, scale, shift) {
    let mean = 0;
    let variance = 0;
    for (const value of x) mean += value / x.length;
    for (const value of x) variance += (value - mean) ** 2 / x.length;
    const spread = Math.sqrt(variance + 1e-5);
    return x.map((value, i) => ((value - mean) / spread) * scale[i] + shift[i]);
  }

  /* One step of a GRU: input (E), state (D) → the next state (D). `cell` holds the matrices
     fromInput (3 D, E) and fromState (3 D, D) and the biases inputBias and stateBias (3 D): reset,
     update, new, one after another. course_lib/recurrent/cells.py, GRUCell, is the same by hand. */
  function gru(x, state, cell) {
    const width = state.length;
    const input = linear(x, cell.fromInput, cell.inputBias);
    const before = linear(state, cell.fromState, cell.stateBias);
    return state.map(function (old, i) {
      const reset = sigmoid(input[i] + before[i]);
      const update = sigmoid(input[width + i] + before[width + i]);
      const fresh = Math.tanh(input[2 * width + i] + reset * before[2 * width + i]);
      return (1 - update) * fresh + update * old;
    });
  }

  /* The mean of vectors, weighted: weights (S), S vectors (D) → (D). */
  function mix(weights, vectors) {
    const sums = new Float64Array(vectors[0].length);
    addMix(sums, weights, vectors, 0, sums.length);
    return Float32Array.from(sums);
  }

  /* The same for the numbers from `from` up to `to`, added to `sums`. */
  function addMix(sums, weights, vectors, from, to) {
    vectors.forEach(function (vector, s) {
      for (let i = from; i < to; i++) sums[i] += weights[s] * vector[i];
    });
  }

  /* Attention with H heads for one query: query (D), S keys (D), S values (D) → the context (D) and
     the weights of each head (S). Head h has numbers h·K to h·K + K − 1 of every vector, K = D / H,
     and scores a key by q · k / √K. With one head this is scaled dot-product attention. */
  function attend(query, keys, values, heads = 1) {
    const width = query.length / heads;
    const context = new Float64Array(values[0].length);
    const weights = [];
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * width, (head + 1) * width];
      weights.push(softmax(keys.map((key) => dot(query, key, from, to) / Math.sqrt(width))));
      addMix(context, weights[head], values, from, to);
    }
    return { context: Float32Array.from(context), weights };
  }

  return { embed, linear, dot, add, tanh, relu, sigmoid, concat, softmax, argmax, layerNorm, gru, mix, attend };
})();
