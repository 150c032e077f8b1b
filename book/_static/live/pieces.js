/* Chapter 11: WordPiece cuts what the reader types, with a vocabulary that the reader changes. */
"use strict";
{
  const SAY = Say.texts({
    invite: "Add one piece to the vocabulary so that “unbelievably” becomes [UNK]. Why does a larger vocabulary read less?",
    text: "Text",
    vocabulary: "Vocabulary",
    alt: "The pieces: {pieces}.",
    none: "Type a text.",
    result: "Words: {words}. Pieces: {pieces}. Words that became [UNK]: {unknown}.",
    header: ["word", "left to cut", "longest piece that fits"],
    fails: "none, so the whole word is [UNK]",
    long: "longer than 100 characters, so [UNK]",
  });

  /* The basic step: no accents, lower case, each punctuation mark a word of its own. */
  function words(text) {
    const plain = text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();
    return plain.replace(/[\p{P}$+<=>^`|~]/gu, " $& ").split(/\s+/u).filter(Boolean);
  }

  /* From the left, always the longest piece that fits: pairs of what is left and its piece. */
  function steps(word, vocabulary) {
    const found = [];
    let rest = [...word];
    if (rest.length > 100) return [{ rest: word, piece: null }];
    while (rest.length) {
      const mark = found.length ? "##" : "";
      let end = rest.length;
      while (end && !vocabulary.has(mark + rest.slice(0, end).join(""))) end -= 1;
      found.push({ rest: mark + rest.join(""), piece: end ? mark + rest.slice(0, end).join("") : null });
      if (!end) break;
      rest = rest.slice(end);
    }
    return found;
  }

  function cut(text, vocabulary) {
    const known = new Set(vocabulary);
    return words(text).flatMap(function (word) {
      const pieces = steps(word, known).map(({ piece }) => piece);
      return pieces.includes(null) ? ["[UNK]"] : pieces;
    });
  }

  AM.live("pieces", function (stage, { text, vocabulary }) {
    const figure = AM.figure(stage, SAY.invite);
    const typed = figure.text({ label: SAY.text, value: text, lines: 2 });
    figure.row();
    const pieces = figure.text({ label: SAY.vocabulary, value: vocabulary.join(" "), lines: 2 });

    figure.update = function () {
      const known = pieces.value.split(/\s+/).filter(Boolean);
      const found = cut(typed.value, known);
      const tokens = AM.element("p", { class: "am-tokens", role: "img", "aria-label": Say.fill(SAY.alt, { pieces: found.join(", ") }) },
        ...found.map((piece) => AM.element("span", { class: piece === "[UNK]" ? "unknown" : "", translate: "no" }, piece)));
      figure.draw(tokens);
      const unknown = found.filter((piece) => piece === "[UNK]").length;
      figure.say(found.length ? Say.fill(SAY.result, { words: words(typed.value).length, pieces: found.length, unknown }) : SAY.none);
      figure.table(SAY.header, words(typed.value).flatMap((word) => steps(word, new Set(known)).map(({ rest, piece }, i) => [
        i ? "" : word, rest, piece || (rest.length > 102 ? SAY.long : SAY.fails)])));
    };
    figure.update();
  }, { words, cut });
}
