/* Chapter 11: which words of a text that the reader types are hidden, how, and what is asked for. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Hide the words a few times, or words of your own. How many words must be asked for before most draws have a random token among them?",
    text: "Text",
    share: "Share that is asked for",
    masked: "of these [MASK]",
    random: "of these a random token",
    again: "Draw anew",
    alt: "What the model sees: {seen}.",
    none: "Type a text.",
    result: "Of {words} words {asked} are asked for. In {chance} of all draws at least one of them is replaced by a random token.",
    header: ["place", "the text", "the model sees", "asked for"],
    no: "–",
  });
  const OTHERS = ["water", "old", "seven", "runs", "of", "green", "she", "north", "music", "never"];

  /* How many of n words are chosen: the share, rounded (halves to the even number), but at least one. */
  function count(words, share) {
    const exact = Math.fround(Math.fround(share) * words);
    const low = Math.floor(exact);
    const half = exact - low === 0.5;
    return Math.min(words, Math.max(1, half ? low + (low % 2) : Math.round(exact)));
  }

  /* The places with the smallest draws. */
  function choose(draws, share) {
    const order = draws.map((_, place) => place).sort((a, b) => draws[a] - draws[b]);
    const first = new Set(order.slice(0, count(draws.length, share)));
    return draws.map((_, place) => first.has(place));
  }

  /* At chosen places, by a second draw: hidden, another word, or the word itself. */
  function corrupt(words, chosen, draws, others, masked, random) {
    return words.map(function (word, place) {
      if (!chosen[place] || draws[place] >= masked + random) return word;
      return draws[place] < masked ? "[MASK]" : others[place];
    });
  }

  /* The chance that at least one of the words asked for is replaced at random. */
  function anyRandom(words, share, random) { return 1 - (1 - random) ** count(words, share); }

  AM.live("hiding", function (stage, { text }) {
    const figure = AM.figure(stage, SAY.invite);
    const typed = figure.text({ label: SAY.text, value: text, lines: 2 });
    figure.row();
    const percent = (value) => `${AM.number(100 * value)}%`;
    const slider = (label, value, max) => figure.slider({ label, min: 0, max, step: 0.05, value, write: percent });
    const share = figure.slider({ label: SAY.share, min: 0.05, max: 1, step: 0.05, value: 0.15, write: percent });
    const masked = slider(SAY.masked, 0.8, 1);
    const random = slider(SAY.random, 0.1, 1);
    let seed = 1;
    figure.button({ label: SAY.again, press() { seed += 1; } });

    figure.update = function () {
      const words = typed.value.split(/\s+/).filter(Boolean);
      // Both shares together are the whole at most.
      const replaced = Math.min(random.value, 1 - masked.value);
      if (replaced !== random.value) random.value = replaced;
      const draw = numbers(seed);
      const uniform = () => words.map(draw);
      const chosen = choose(uniform(), share.value);
      const seen = corrupt(words, chosen, uniform(), uniform().map((u) => OTHERS[Math.floor(u * OTHERS.length)]),
        masked.value, replaced);
      figure.draw(AM.element("p", { class: "am-tokens", role: "img", "aria-label": Say.fill(SAY.alt, { seen: seen.join(" ") }) },
        ...seen.map((word, place) => AM.element("span", { class: chosen[place] ? "asked" : "", translate: "no" }, word))));
      const asked = chosen.filter(Boolean).length;
      figure.say(words.length ? Say.fill(SAY.result, { words: words.length, asked, chance: percent(anyRandom(words.length, share.value, replaced)) }) : SAY.none);
      figure.table(SAY.header, words.map((word, place) => [place + 1, word, seen[place], chosen[place] ? word : SAY.no]));
    };
    figure.update();
  }, { count, choose, corrupt, anyRandom });

  /* Numbers between 0 and 1 that a seed fixes (mulberry32). */
  function numbers(seed) {
    let state = seed * 0x9e3779b9;
    return function () {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }
}
