/* Chapter 12: gains that the reader sets become a mean, a t-interval and a verdict, by the ledger's rule. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Change one gain so that the claim is reproduced. Then undo it, and look how many seeds of the same spread it would take instead.",
    claim: "The claim",
    more: "A is more than B",
    equal: "A and B are equal, within the margin",
    margin: "Margin",
    seeds: "Seeds",
    gains: "Gain of A, seed by seed",
    seed: "seed {n}",
    verdicts: ["reproduced", "direction only", "not reproduced at this scale"],
    result: "The mean gain is {mean}, its 95% interval goes from {low} to {high}: {verdict}.",
    needed: "With this mean and this spread, the claim is reproduced from {count} seeds on.",
    never: "With this mean, no number of seeds reproduces the claim.",
    many: "With this mean and this spread, 100,000 seeds would not be enough.",
    alt: "The gains as points, their mean, and a band from {low} to {high}, beside zero.",
    axis: "gain of A over B",
    rows: ["mean", "gains"],
    header: ["seed", "gain", "distance from the mean", "its square"],
  });
  const MOST = 100000;

  /* 0 reproduced, 1 direction only, 2 neither; the margin is null where A should be more than B. */
  function verdict({ mean, low, high }, margin) {
    const shown = margin === null ? low > 0 : low > -margin && high < margin;
    const leaning = margin === null ? mean > 0 : Math.abs(mean) < margin;
    return shown ? 0 : leaning ? 1 : 2;
  }

  /* The fewest seeds with which an interval of this mean and standard deviation is on the claimed side;
     0 where no number is enough. */
  function seedsNeeded(mean, deviation, margin) {
    const room = margin === null ? mean : margin - Math.abs(mean);
    if (room <= 0) return 0;
    const enough = (n) => AM.intervals.student(n - 1) * deviation / Math.sqrt(n) < room;
    let [low, high] = [1, 2];
    while (!enough(high)) {
      if (high > MOST) return Infinity;
      [low, high] = [high, 2 * high];
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (enough(middle)) high = middle; else low = middle;
    }
    return high;
  }

  AM.live("verdict", function (stage, { gains }) {
    const figure = AM.figure(stage, SAY.invite);
    const claim = figure.choice({ label: SAY.claim, options: [["more", SAY.more], ["equal", SAY.equal]], value: "more" });
    const allowed = figure.number({ label: SAY.margin, value: 1.5, min: 0.01, max: 99, step: 0.1 });
    const seeds = figure.slider({ label: SAY.seeds, min: 2, max: 10, value: 5 });
    figure.row(SAY.gains);
    const fields = gains.map((value, i) => figure.number({ label: Say.fill(SAY.seed, { n: i + 1 }), value, min: -99, max: 99, step: 0.1 }));

    figure.update = function () {
      fields.forEach((field, i) => { field.input.closest("label").hidden = i >= seeds.value; });
      const margin = claim.value === "equal" ? allowed.value : null;
      allowed.input.closest("label").hidden = margin === null;
      const values = fields.slice(0, seeds.value).map((field) => field.value);
      const found = AM.intervals.tInterval(values);
      const write = (value) => AM.number(value, 2);
      const reach = 1.15 * Math.max(0.5, Math.abs(found.low), Math.abs(found.high), ...values.map(Math.abs), margin || 0);
      const upright = (x, dashes) => ({ line: [[x, 0], [x, 3]], color: "ink", width: 1.2, dashes });
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { low: write(found.low), high: write(found.high) }), width: figure.width, height: 170,
        x: { from: -reach, to: reach, name: SAY.axis }, y: { from: 0.3, to: 2.7, ticks: [1, 2], write: (row) => SAY.rows[row - 1] },
        marks: [
          ...(margin === null ? [upright(0)] : [upright(-margin, "5 4"), upright(margin, "5 4")]),
          { band: [[found.low, 0.55, 1.45], [found.high, 0.55, 1.45]], color: "green" },
          { points: [[found.mean, 1]], color: "green", size: 6 },
          { points: values.map((value) => [value, 2]), color: "blue" },
        ],
      }));
      const needed = seedsNeeded(found.mean, AM.intervals.deviation(values), margin);
      const told = needed === 0 ? SAY.never : needed === Infinity ? SAY.many : Say.fill(SAY.needed, { count: AM.number(needed) });
      figure.say(`${Say.fill(SAY.result, { mean: write(found.mean), low: write(found.low), high: write(found.high), verdict: SAY.verdicts[verdict(found, margin)] })} ${told}`);
      figure.table(SAY.header, values.map((value, i) => [i + 1, AM.number(value, 1), write(value - found.mean), AM.number((value - found.mean) ** 2, 3)]));
    };
    figure.update();
  }, { verdict, seedsNeeded, tInterval: (values, confidence) => AM.intervals.tInterval(values, confidence) });
}
