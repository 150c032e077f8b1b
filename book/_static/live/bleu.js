/* Chapter 2: BLEU of one sentence against one reference, as sacreBLEU computes it. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Change one word in the middle, then one at the end: which costs more? Then leave out words, from the end: which number stops you?",
    written: "Written", reference: "Reference",
    alt: "Bars, in percent: {listed}.",
    run: "1 word", runs: "{n} words",
    mean: "mean", score: "BLEU",
    result: "The geometric mean of the shares is {mean}. Times a brevity penalty of {penalty}, that is BLEU {score}.",
    smoothed: "No run of some length is in the reference. A share of 0 would make the score 0, so sacreBLEU counts half a hit for the first such length, a quarter for the next.",
    short: "There is no run of four words to count: BLEU is 0.",
    header: ["runs of", "written", "of these in the reference", "share"],
  });

  /* The words as sacreBLEU splits them (its tokenizer “13a”): punctuation stands alone. */
  function split(text) {
    return ` ${text} `
      .replace(/([{-~[-` -&(-+:-@/])/g, " $1 ")
      .replace(/([^0-9])([.,])/g, "$1 $2 ")
      .replace(/([.,])([^0-9])/g, " $1 $2")
      .replace(/([0-9])(-)/g, "$1 $2 ")
      .split(/\s+/).filter((word) => word);
  }

  /* How often each run of n neighboring words occurs. */
  function runs(words, n) {
    const counts = new Map();
    for (let start = 0; start + n <= words.length; start += 1) {
      const run = words.slice(start, start + n).join(" ");
      counts.set(run, (counts.get(run) || 0) + 1);
    }
    return counts;
  }

  function bleu(written, reference) {
    const [ours, theirs] = [split(written), split(reference)];
    const total = [], right = [], shares = [];
    for (let n = 1; n <= 4; n += 1) {
      const found = runs(ours, n), wanted = runs(theirs, n);
      total.push(Math.max(0, ours.length - n + 1));
      // A run counts as often as it stands in the reference, no more.
      right.push([...found].reduce((sum, [run, count]) => sum + Math.min(count, wanted.get(run) || 0), 0));
    }
    let part = 1;
    total.forEach(function (all, i) {
      if (right[i] === 0) part /= 2;
      shares.push(all === 0 || right[0] === 0 ? 0 : (right[i] || part) / all);
    });
    const mean = shares.reduce((product, share) => product * share) ** 0.25;
    const penalty = ours.length ? Math.min(1, Math.exp(1 - theirs.length / ours.length)) : 0;
    return { total, right, shares, mean, penalty, score: 100 * mean * penalty };
  }

  AM.live("bleu", function (stage, { written, reference }) {
    const figure = AM.figure(stage, SAY.invite);
    const ours = figure.text({ label: SAY.written, value: written, lang: "fr" });
    figure.row();
    const theirs = figure.text({ label: SAY.reference, value: reference, lang: "fr" });

    figure.update = function () {
      const { total, right, shares, mean, penalty, score } = bleu(ours.value, theirs.value);
      const bars = [...shares, mean, penalty, score / 100];
      const names = ["p₁", "p₂", "p₃", "p₄", SAY.mean, "B", SAY.score];
      const said = bars.map((value, i) => AM.number(i === 6 ? score : 100 * value, i === 6 ? 1 : 0));
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { listed: names.map((name, i) => `${name} ${said[i]}`).join(", ") }), width: figure.width, height: 220,
        x: { names }, y: { from: 0, to: 1.12, ticks: [0, 0.5, 1], write: (value) => `${100 * value}%` },
        marks: [{ bars, labels: said, color: "blue", colors: { 4: "green", 5: "green", 6: "orange" } }],
      }));
      const smoothed = mean > 0 && right.includes(0);
      figure.say([Say.fill(SAY.result, { mean: AM.number(mean, 3), penalty: AM.number(penalty, 3), score: AM.number(score, 1) }),
        smoothed ? SAY.smoothed : total[3] === 0 ? SAY.short : ""].join(" ").trim());
      figure.table(SAY.header, shares.map((share, i) => [i === 0 ? SAY.run : Say.fill(SAY.runs, { n: i + 1 }), total[i], right[i], AM.number(share, 3)]));
    };
    figure.update();
  }, { split, bleu });
}
