/* Chapter 8: a body of two detectors and a head of two weights look at a picture that the reader draws. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Draw a picture that is no plus, but that the head calls one. Then put in as much ink as you can that the body does not see.",
    pixels: "Your picture",
    pixel: "Ink in row {row}, column {column}",
    head: "The head",
    weights: ["weight of the column", "weight of the row"],
    bias: "bias",
    column: "ink in the middle column",
    row: "ink in the middle row",
    border: "the head’s border",
    yours: "yours",
    alt: "Your picture stands at {column} and {row}. The head calls a plus what lies beyond its border.",
    plus: "The body counts {column} and {row}. The head’s score is {score}, above zero: “a plus”.",
    none: "The body counts {column} and {row}. The head’s score is {score}, not above zero: “no plus”.",
    unseen: "Ink that no detector sees: {ink}.",
    header: ["picture", "middle column", "middle row", "score", "the head says"],
    says: ["no plus", "plus"],
  });

  /* The body: how much ink is in the middle column and in the middle row of nine pixels? */
  function features(pixels) {
    return [pixels[1] + pixels[4] + pixels[7], pixels[3] + pixels[4] + pixels[5]];
  }

  /* The head: a weight for each feature, and a bias. */
  function score([column, row], [first, second], bias) {
    return first * column + second * row + bias;
  }

  AM.live("detectors", function (stage, { pictures }) {
    const figure = AM.figure(stage, SAY.invite);
    const pixels = [...pictures[0].pixels];
    figure.row(SAY.pixels);
    const buttons = pixels.map((_, i) => figure.button({
      label: "", press() { pixels[i] = 1 - pixels[i]; },
    }));
    const board = AM.element("div", { class: "am-pixels" });
    buttons[0].parentElement.append(board);
    buttons.forEach(function (button, i) {
      button.setAttribute("aria-label", Say.fill(SAY.pixel, { row: 1 + Math.floor(i / 3), column: 1 + i % 3 }));
      board.append(button);
    });
    figure.row(SAY.head);
    const weights = SAY.weights.map((label) => figure.number({ label, value: 1, min: -99, max: 99, step: 0.5 }));
    const bias = figure.number({ label: SAY.bias, value: -5, min: -99, max: 99, step: 0.5 });

    figure.update = function () {
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(pixels[i] === 1)));
      const [first, second] = weights.map((one) => one.value);
      const judged = (seen) => score(seen, [first, second], bias.value);
      const own = features(pixels);
      // Two points of the line where the score is zero, far outside of the picture.
      const size = first ** 2 + second ** 2;
      const foot = [-bias.value * first / size, -bias.value * second / size];
      const border = size ? [-9, 9].map((far) => [foot[0] - far * second, foot[1] + far * first]) : [];
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { column: own[0], row: own[1] }), width: Math.min(figure.width, 380), height: 280,
        x: { from: -0.3, to: 3.6, name: SAY.column, ticks: [0, 1, 2, 3] },
        y: { from: -0.3, to: 3.6, name: SAY.row, ticks: [0, 1, 2, 3] },
        marks: [
          { line: border, color: "gray", dashes: "6 4", name: SAY.border },
          ...pictures.flatMap(({ name, pixels: given, color }) => [{ points: [features(given)], color, size: 6, name }]),
          { points: [own], color: "ink", size: 3.5, name: SAY.yours },
        ],
      }));
      const value = judged(own);
      const said = Say.fill(value > 0 ? SAY.plus : SAY.none, { column: own[0], row: own[1], score: AM.number(value, 1) });
      const ink = pixels[0] + pixels[2] + pixels[6] + pixels[8];
      figure.say(`${said} ${Say.fill(SAY.unseen, { ink })}`);
      figure.table(SAY.header, [...pictures, { name: SAY.yours, pixels }].map(function ({ name, pixels: given }) {
        const seen = features(given);
        return [name, ...seen, AM.number(judged(seen), 1), SAY.says[+(judged(seen) > 0)]];
      }));
    };
    figure.update();
  }, { features, score });
}
