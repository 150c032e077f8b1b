/* Chapter 5: sinusoidal positions, and how similar two of them are. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Move the place and watch the curve of similarities: what does it depend on? Then make the vectors narrower.",
    place: "Place", width: "Numbers in the vector, D",
    alt: "Similarity of place {t} with every place: 1 at itself, {next} one step off, {far} twenty steps off.",
    result: "Place {t} is similar to its neighbor by {next}, to a place twenty steps off by {far}.",
    unique: "The most similar place more than ten steps off is {other}, with {value}.",
    other: "position t", axis: "similarity (cosine)",
    header: ["distance", "similarity"],
  });
  const LENGTH = 100;
  const BASE = 10000;

  /* Sines and cosines by turns, from the fastest wave to the slowest. */
  function sinusoidal(place, width) {
    return Array.from({ length: width }, function (_, i) {
      const angle = place * BASE ** (-(i - (i % 2)) / width);
      return i % 2 ? Math.cos(angle) : Math.sin(angle);
    });
  }

  /* The cosine of the angle between the vectors of two places; each is √(D / 2) long. */
  function similarity(one, other, width) {
    const [a, b] = [sinusoidal(one, width), sinusoidal(other, width)];
    return a.reduce((sum, value, i) => sum + value * b[i], 0) / (width / 2);
  }

  AM.live("positions", function (stage) {
    const figure = AM.figure(stage, SAY.invite);
    const place = figure.slider({ label: SAY.place, min: 0, max: LENGTH - 1, value: 30 });
    const width = figure.slider({ label: SAY.width, of: [2, 4, 8, 16, 32, 64, 128, 256, 512], value: 64 });

    figure.update = function () {
      const t = place.value;
      const found = Array.from({ length: LENGTH }, (_, other) => similarity(t, other, width.value));
      const write = (value) => AM.number(value, 2);
      const far = t + 20 < LENGTH ? t + 20 : t - 20;
      const next = t + 1 < LENGTH ? t + 1 : t - 1;
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { t, next: write(found[next]), far: write(found[far]) }), width: figure.width, height: 260,
        x: { from: 0, to: LENGTH - 1, name: SAY.other, ticks: [0, 20, 40, 60, 80] },
        y: { from: -1, to: 1.05, name: SAY.axis, ticks: [-1, -0.5, 0, 0.5, 1] },
        marks: [{ line: found.map((value, other) => [other, value]), color: "green" }, { points: [[t, 1]], color: "orange", size: 5 }],
      }));
      const others = found.map((value, other) => (Math.abs(other - t) > 10 ? value : -Infinity));
      const most = others.indexOf(Math.max(...others));
      const result = Say.fill(SAY.result, { t, next: write(found[next]), far: write(found[far]) });
      figure.say(`${result} ${Say.fill(SAY.unique, { other: most, value: write(found[most]) })}`);
      figure.table(SAY.header, [0, 1, 2, 5, 10, 20, 40].map((distance) => [distance, AM.number(similarity(0, distance, width.value), 4)]));
    };
    figure.update();
  }, { sinusoidal, similarity });
}
