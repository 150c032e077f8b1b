/* Chapter 12: the best of several equally good runs, on average, beside their true share. */
"use strict";
{
  const SAY = Say.texts({
    invite: "With twelve runs: how many sentences must the test have before the best run is less than one point too good?",
    runs: "Runs tried",
    sentences: "Sentences of the test",
    truth: "True share of each run",
    axis: "runs, of which the best is reported",
    share: "share right",
    best: "the best, on average",
    true: "the truth",
    alt: "The best score climbs with the number of runs, to {best} with {runs}; the truth stays at {truth}.",
    result: "The best of {runs} equally good runs has {best} on average: {points} points too good.",
    header: ["runs", "the best, on average", "points too good"],
  });
  const SIZES = [50, 100, 200, 500, 1000, 2000, 3000, 5000, 10000];
  const MOST = 50;

  /* P(right ≤ 0), P(right ≤ 1), … for the number of right answers among n. */
  function cumulative(n, p) {
    const found = [];
    let log = n * Math.log1p(-p);
    let sum = 0;
    for (let k = 0; k <= n; k += 1) {
      sum += Math.exp(log);
      found.push(Math.min(1, sum));
      log += Math.log((n - k) / (k + 1)) + Math.log(p) - Math.log1p(-p);
    }
    return found;
  }

  /* The mean of the best of `runs`, as a share: the best is below a score where all of them are. */
  function best(runs, n, p, below = cumulative(n, p)) {
    let sum = 0;
    for (let k = 0; k < n; k += 1) sum += 1 - below[k] ** runs;
    return sum / n;
  }

  AM.live("luck", function (stage) {
    const figure = AM.figure(stage, SAY.invite);
    const runs = figure.slider({ label: SAY.runs, min: 1, max: MOST, value: 12 });
    const sentences = figure.slider({ label: SAY.sentences, of: SIZES, value: 500, write: (value) => AM.number(value) });
    const truth = figure.slider({ label: SAY.truth, min: 0.5, max: 0.99, step: 0.01, value: 0.8, write: (value) => AM.number(value, 2) });

    figure.update = function () {
      const below = cumulative(sentences.value, truth.value);
      const climb = Array.from({ length: MOST }, (_, i) => [i + 1, best(i + 1, sentences.value, truth.value, below)]);
      const reached = climb[runs.value - 1][1];
      const write = (value) => AM.number(value, 3);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { best: write(climb[MOST - 1][1]), runs: MOST, truth: write(truth.value) }), width: figure.width, height: 260,
        x: { from: 1, to: MOST, name: SAY.axis, ticks: [1, 10, 20, 30, 40, 50] },
        y: { from: truth.value - 0.02, to: Math.min(1.01, truth.value + 0.16), name: SAY.share },
        marks: [
          { line: climb, color: "orange", name: SAY.best },
          { line: [[1, truth.value], [MOST, truth.value]], color: "gray", dashes: "6 4", name: SAY.true },
          { points: [[runs.value, reached]], color: "orange", size: 6 },
        ],
      }));
      const points = (value) => AM.number(100 * (value - truth.value), 1);
      figure.say(Say.fill(SAY.result, { runs: runs.value, best: write(reached), points: points(reached) }));
      const shown = [...new Set([1, 2, 5, 12, 20, 50, runs.value])].sort((a, b) => a - b);
      figure.table(SAY.header, shown.map((count) => [count, write(climb[count - 1][1]), points(climb[count - 1][1])]));
    };
    figure.update();
  }, { best, cumulative });
}
