/* Chapter 7: three learning-rate schedules, with a warm-up, a length and a width that the reader sets. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Make the peak half as high: once by the warm-up alone, once by the width alone. How often did you have to double?",
    width: "Width D",
    warmup: "Warm-up (steps)",
    total: "Steps in all",
    rules: { root: "inverse square root (equation 3)", cosine: "half a cosine", lines: "straight lines" },
    step: "step",
    rate: "learning rate (10⁻⁴)",
    alt: "Three curves of the learning rate. All rise to {peak} at step {warmup}; then they fall.",
    result: "The peak is {peak}. At the last step the inverse square root is still at {root}, which is {share} of the peak; the two others are at zero.",
    header: ["step", "inverse square root", "half a cosine", "straight lines"],
  });
  const WIDTHS = [64, 128, 256, 512, 1024, 2048];
  const WARMUPS = [1, 50, 100, 250, 500, 1000, 2000, 4000, 8000, 16000];
  const TOTALS = [1000, 5000, 20000, 100000];
  const LOOK = { root: ["gray", "none"], cosine: ["green", "7 3"], lines: ["pink", "2 3"] };

  /* What the peak is multiplied with at step 0, 1, 2, … */
  function multiplier(rule, warmup, total, step) {
    if (rule === "root") return Math.min((step + 1) / warmup, Math.sqrt(warmup / (step + 1)));
    if (step < warmup) return (step + 1) / warmup;
    const done = Math.min(1, (step - warmup) / (total - warmup));
    return rule === "cosine" ? 0.5 * (1 + Math.cos(Math.PI * done)) : 1 - done;
  }

  /* The highest rate of equation 3: both terms of its minimum are equal at the end of the warm-up. */
  function peak(width, warmup) { return (width * warmup) ** -0.5; }

  AM.live("schedule", function (stage) {
    const figure = AM.figure(stage, SAY.invite);
    const write = (value) => AM.number(value);
    const width = figure.slider({ label: SAY.width, of: WIDTHS, value: 512, write });
    const warmup = figure.slider({ label: SAY.warmup, of: WARMUPS, value: 4000, write });
    const total = figure.slider({ label: SAY.total, of: TOTALS, value: 20000, write });
    let before = total.value;

    figure.update = function () {
      // The warm-up ends before the training does: what was not moved gives way.
      if (warmup.value >= total.value) {
        if (total.value === before) total.value = TOTALS.find((steps) => steps > warmup.value);
        else warmup.value = WARMUPS.filter((steps) => steps < total.value).pop();
      }
      before = total.value;
      const top = peak(width.value, warmup.value);
      const rate = (rule, step) => top * multiplier(rule, warmup.value, total.value, step);
      const places = Array.from({ length: 241 }, (_, i) => Math.round(i * total.value / 240));
      if (!places.includes(warmup.value - 1)) places.push(warmup.value - 1);
      places.sort((a, b) => a - b);
      const high = AM.power(top);
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { peak: high, warmup: AM.number(warmup.value) }), width: figure.width, height: 280,
        x: { from: 0, to: total.value, name: SAY.step, ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => share * total.value) },
        y: { from: 0, to: 1.08e4 * top, name: SAY.rate },
        marks: Object.entries(SAY.rules).map(([rule, name]) => ({
          line: places.map((step) => [step, 1e4 * rate(rule, step)]), color: LOOK[rule][0], dashes: LOOK[rule][1], name,
        })),
      }));
      const last = rate("root", total.value - 1);
      figure.say(Say.fill(SAY.result, { peak: high, root: AM.power(last), share: AM.number(last / top, 2) }));
      const shown = [1, 10, 100, 1000, warmup.value, total.value / 2, total.value];
      const steps = [...new Set(shown.filter((step) => step <= total.value))].sort((a, b) => a - b);
      figure.table(SAY.header, steps.map((step) => [AM.number(step), ...Object.keys(SAY.rules).map((rule) => AM.power(rate(rule, step - 1)))]));
    };
    figure.update();
  }, { multiplier, peak });
}
