/* A GPT, as course_lib/gpt/model.py computes it, one token at a time; its arithmetic is in tensors.js.

       const model = AM.gpt(sizes, tensors);          // tensors["h.0.ln_1.weight"], by torch's names
       const state = model.read(token, place);        // the residual stream after the last norm
       const scores = model.logits(state);            // one for each token that could come next

   Keys and values of every place are kept, so a token costs one pass of its own. To go back, read
   another token at an earlier place: what was kept of later ones counts no more. */
"use strict";
{
  const { embed, linear, add, layerNorm, attend } = AM.tensors;

  /* GELU by the formula with tanh. */
  const gelu = (x) => x.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));

  AM.gpt = function ({ width, heads, layers, context }, tensors) {
    const matrixAndBias = (name) => [tensors[`${name}.weight`], tensors[`${name}.bias`]];
    const kept = Array.from({ length: layers }, () => ({ keys: [], values: [] }));

    function attention(x, layer, place) {
      const asked = linear(x, ...matrixAndBias(`h.${layer}.attn.c_attn`));
      const [query, key, value] = [0, 1, 2].map((part) => asked.subarray(part * width, (part + 1) * width));
      const { keys, values } = kept[layer];
      keys[place] = key;
      values[place] = value;
      const { context: seen } = attend(query, keys.slice(0, place + 1), values.slice(0, place + 1), heads);
      return linear(seen, ...matrixAndBias(`h.${layer}.attn.c_proj`));
    }

    function network(x, layer) {
      const inner = linear(x, ...matrixAndBias(`h.${layer}.mlp.c_fc`));
      return linear(gelu(inner), ...matrixAndBias(`h.${layer}.mlp.c_proj`));
    }

    return {
      context,
      read(token, place) {
        let x = add(embed(tensors["wte.weight"], token), embed(tensors["wpe.weight"], place));
        for (let layer = 0; layer < layers; layer++) {
          x = add(x, attention(layerNorm(x, ...matrixAndBias(`h.${layer}.ln_1`)), layer, place));
          x = add(x, network(layerNorm(x, ...matrixAndBias(`h.${layer}.ln_2`)), layer));
        }
        return layerNorm(x, ...matrixAndBias("ln_f"));
      },
      /* The embedding of each token, once more, against the state. */
      logits: (state) => linear(state, tensors["wte.weight"]),
    };
  };
}
