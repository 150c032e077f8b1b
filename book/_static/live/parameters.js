/* Chapter 6: what a Transformer is made of and what a pair of sentences costs, for any size. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Double one size at a time, starting from the base model: which one more than doubles the encoder? Which one changes nothing at all?",
    width: "Width D", hidden: "Width inside F", layers: "Layers L on each side", words: "Words V", heads: "Heads H",
    length: "Words in a sentence, S = T",
    shared: "one matrix for all words",
    alt: "Bars of millions of parameters: {listed}.",
    result: "{all} million parameters. A forward pass over one pair of sentences takes {flops} billion FLOPs, {share} of them in the scores and means of attention.",
    indivisible: "{heads} heads cannot share {width} numbers evenly: choose another number of heads.",
    parts: { embeddings: "embeddings", encoder: "encoder", decoder: "decoder", output: "output" },
    axis: "parameters (millions)",
    header: ["part", "parameters"],
    kinds: { projections: "FLOPs: projections", attention: "FLOPs: scores and means", feed_forward: "FLOPs: feed-forward", output: "FLOPs: output" },
  });

  /* Parameters by part, as course_lib/transformer/costs.py counts them: norms after the sums. */
  function parameterCounts({ width: d, hidden: f, layers, words, shared }) {
    const attention = 4 * (d * d + d), network = 2 * d * f + f + d, norm = 2 * d;
    return {
      embeddings: (shared ? 1 : 2) * words * d,
      encoder: layers * (attention + network + 2 * norm),
      decoder: layers * (2 * attention + network + 3 * norm),
      output: (shared ? 0 : words * d) + words,
    };
  }

  /* FLOPs of a forward pass over a pair of sentences of `length` words each. */
  function forwardFlops({ width: d, hidden: f, layers, words }, length) {
    return {
      projections: layers * 3 * 8 * d * d * length,
      attention: layers * 3 * 4 * d * length * length,
      feed_forward: layers * 4 * d * f * 2 * length,
      output: 2 * length * d * words,
    };
  }

  const sum = (parts) => Object.values(parts).reduce((a, b) => a + b);

  AM.live("parameters", function (stage, sizes) {
    const figure = AM.figure(stage, SAY.invite);
    const power = (label, of, value) => figure.slider({ label, of, value, write: (v) => AM.number(v) });
    const set = {
      width: power(SAY.width, [64, 128, 256, 512, 1024, 2048], sizes.width),
      hidden: power(SAY.hidden, [128, 256, 512, 1024, 2048, 4096, 8192], sizes.hidden),
      layers: power(SAY.layers, [1, 2, 3, 4, 6, 8, 12, 24], sizes.layers),
      words: power(SAY.words, [100, 1000, 10000, 20000, 37000, 74000, 148000], sizes.words),
      heads: power(SAY.heads, [1, 2, 3, 4, 8, 16, 32], sizes.heads),
    };
    const length = power(SAY.length, [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096], 32);
    const shared = figure.check({ label: SAY.shared, value: true });

    figure.update = function () {
      const config = Object.fromEntries(Object.entries(set).map(([name, control]) => [name, control.value]));
      config.shared = shared.value;
      if (config.width % config.heads) { figure.say(Say.fill(SAY.indivisible, { heads: config.heads, width: config.width })); return; }
      const counts = parameterCounts(config), flops = forwardFlops(config, length.value);
      const names = Object.keys(counts).map((name) => SAY.parts[name]);
      const millions = Object.values(counts).map((count) => count / 1e6);
      const digits = sum(counts) < 1e7 ? 3 : 1;
      const said = millions.map((one) => AM.number(one, digits));
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { listed: names.map((name, i) => `${name} ${said[i]}`).join(", ") }), width: figure.width, height: 240,
        x: { names }, y: { from: 0, to: 1.15 * Math.max(...millions), name: SAY.axis },
        marks: [{ bars: millions, labels: said, color: "transformer" }],
      }));
      figure.say(Say.fill(SAY.result, { all: AM.number(sum(counts) / 1e6, digits), flops: AM.number(sum(flops) / 1e9, 3), share: `${AM.number((100 * flops.attention) / sum(flops), 1)}%` }));
      figure.table(SAY.header, [
        ...Object.entries(counts).map(([name, count]) => [SAY.parts[name], AM.number(count)]),
        ...Object.entries(flops).map(([name, count]) => [SAY.kinds[name], AM.number(count)])]);
    };
    figure.update();
  }, { parameterCounts, forwardFlops });
}
