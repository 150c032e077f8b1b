/* Chapter 10: how much memory the keys and values of a text take, beside the weights of the model. */
"use strict";
{
  const SAY = Say.texts({
    invite: "The cache of SmolLM2 may take one gigabyte. How many texts of full length can be written side by side? Make room for twice as many without shortening one.",
    layers: "Layers",
    heads: "Heads with keys of their own",
    width: "Width of a head",
    tokens: "Tokens of a text",
    texts: "Texts at once",
    bits: "Bits a number",
    axis: "tokens of a text",
    size: "megabytes",
    cache: "cache",
    weights: "weights of SmolLM2",
    alt: "The cache grows in a straight line to {size} MB at {tokens} tokens; the weights take {weights} MB.",
    result: "A token costs {one} kB in each text. The cache takes {size} MB; that is {share} times what the 135 million weights of SmolLM2 take in as many bits.",
    header: ["tokens of a text", "cache (MB)", "share of the weights"],
  });
  const CONTEXTS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];

  /* Bytes of keys and values: two vectors for each token, layer and head that has its own. */
  function bytes({ layers, heads, width, tokens, texts, bits }) {
    return 2 * layers * heads * width * tokens * texts * bits / 8;
  }

  AM.live("cache", function (stage, { weights, layers, heads, width, tokens }) {
    const figure = AM.figure(stage, SAY.invite);
    const set = {
      layers: figure.slider({ label: SAY.layers, min: 1, max: 80, value: layers }),
      heads: figure.slider({ label: SAY.heads, min: 1, max: 64, value: heads }),
      width: figure.slider({ label: SAY.width, of: [16, 32, 64, 96, 128, 256], value: width }),
      tokens: figure.slider({ label: SAY.tokens, of: CONTEXTS, value: tokens, write: (value) => AM.number(value) }),
      texts: figure.slider({ label: SAY.texts, min: 1, max: 64, value: 1 }),
      bits: figure.choice({ label: SAY.bits, options: [32, 16, 8, 4].map((bits) => [bits, String(bits)]), value: 32 }),
    };

    figure.update = function () {
      const chosen = Object.fromEntries(Object.entries(set).map(([name, control]) => [name, control.value]));
      const size = (count) => bytes({ ...chosen, tokens: count }) / 1e6;
      const model = weights * chosen.bits / 8e6;
      const most = 1.1 * Math.max(size(chosen.tokens), model);
      const write = (value) => AM.number(value, value < 10 ? 2 : 0);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { size: write(size(chosen.tokens)), tokens: AM.number(chosen.tokens), weights: write(model) }), width: figure.width, height: 250,
        x: { from: 0, to: chosen.tokens, name: SAY.axis, ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => share * chosen.tokens) },
        y: { from: 0, to: most, name: SAY.size },
        marks: [
          { line: [[0, 0], [chosen.tokens, size(chosen.tokens)]], color: "blue", name: SAY.cache },
          { line: [[0, model], [chosen.tokens, model]], color: "gray", dashes: "7 3", name: SAY.weights },
        ],
      }));
      const one = bytes({ ...chosen, tokens: 1, texts: 1 }) / 1e3;
      figure.say(Say.fill(SAY.result, { one: AM.number(one, 1), size: write(size(chosen.tokens)), share: AM.number(size(chosen.tokens) / model, 2) }));
      const counts = CONTEXTS.filter((count) => count <= chosen.tokens);
      figure.table(SAY.header, counts.map((count) => [AM.number(count), write(size(count)), AM.number(size(count) / model, 3)]));
    };
    figure.update();
  }, { bytes });
}
