/* Chapter 8: the recorded draws of labels, as many of them as the reader lets count. Mean, t-interval
   and the difference of two ways, draw by draw, are computed anew. */
"use strict";
{
  const SAY = Say.texts({
    invite: "From how many draws on is stage 6 clearly ahead of the last layer, with ten labels of each class? With five? With one?",
    draws: "Draws that count",
    one: "Is",
    other: "ahead of",
    labels: "Labels of each class",
    axis: "labeled drawings of each class",
    accuracy: "test accuracy",
    alt: "Test accuracy by number of labels, with bands for {one} and for {other}.",
    ahead: "Draw by draw, over {draws} draws, “{one}” less “{other}” is {by}: clearly ahead.",
    behind: "Draw by draw, over {draws} draws, “{one}” less “{other}” is {by}: clearly behind.",
    unclear: "Draw by draw, over {draws} draws, “{one}” less “{other}” is {by}: the interval holds zero, no clear difference.",
    way: "way",
    many: "{count} a class",
  });
  const DASHES = ["none", "7 3", "2 3", "7 3 2 3", "none", "7 3"];
  const signed = (value) => (value > 0 ? "+" : "") + AM.number(value, 2);

  /* The interval of one − other over the first `draws` draws: both see the same labels in each. */
  function difference(one, other, draws) {
    return AM.intervals.tInterval(one.slice(0, draws).map((value, i) => value - other[i]));
  }

  /* Of each list of values, over its first `draws`. */
  function intervals(lists, draws) {
    return lists.map((values) => AM.intervals.tInterval(values.slice(0, draws)));
  }

  AM.live("draws", function (stage, { labels, ways, one: first, other: second }) {
    const figure = AM.figure(stage, SAY.invite);
    const all = ways[0].values[0].length;
    const draws = figure.slider({ label: SAY.draws, min: 2, max: all, value: all });
    const labeled = figure.choice({ label: SAY.labels, options: labels.map((count) => [count, String(count)]), value: labels[labels.length - 1] });
    figure.row();
    const options = ways.map(({ name }) => [name, name]);
    const one = figure.choice({ label: SAY.one, options, value: first });
    const other = figure.choice({ label: SAY.other, options, value: second });
    const named = (name) => ways.find((way) => way.name === name);

    figure.update = function () {
      const found = ways.map((way) => intervals(way.values, draws.value));
      const marks = ways.flatMap(function ({ name, color }, i) {
        const lines = [{ line: found[i].map(({ mean }, k) => [labels[k], mean]), color, dashes: DASHES[i], name }];
        if ([one.value, other.value].includes(name)) {
          lines.unshift({ band: found[i].map(({ low, high }, k) => [labels[k], low, high]), color });
        }
        return lines;
      });
      figure.draw(AM.chart({
        alt: Say.fill(SAY.alt, { one: one.value, other: other.value }), width: figure.width, height: 310,
        x: { from: 0.95, to: 10.5, log: true, name: SAY.axis, ticks: labels },
        y: { from: 0, to: 0.85, name: SAY.accuracy },
        marks,
      }));
      const at = labels.indexOf(labeled.value);
      const gap = difference(named(one.value).values[at], named(other.value).values[at], draws.value);
      const by = `${signed(gap.mean)} [${signed(gap.low)}, ${signed(gap.high)}]`;
      const verdict = gap.low > 0 ? SAY.ahead : gap.high < 0 ? SAY.behind : SAY.unclear;
      figure.say(Say.fill(verdict, { one: one.value, other: other.value, by, draws: draws.value }));
      figure.table([SAY.way, ...labels.map((count) => Say.fill(SAY.many, { count }))], ways.map(({ name }, i) => [name, ...found[i].map(
        ({ mean, low, high }) => `${AM.number(mean, 2)} [${AM.number(low, 2)}, ${AM.number(high, 2)}]`)]));
    };
    figure.update();
  }, { difference, intervals, student: (freedom, confidence) => AM.intervals.student(freedom, confidence) });
}
