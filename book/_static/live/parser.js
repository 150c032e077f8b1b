/* From English words to a meaning, by recursive descent: one function for each part of a sentence.
   The lab's English is made so that one word ahead always tells which part comes next, so nothing is
   ever taken back. On the way the parser notes which words could stand at the place it has reached:
   these are the suggestions, and where the typed word is none of them it says why.

       AM.parser.parse(words) → { meaning, next, problem }

   meaning: of a whole sentence, else null. next: the words that may follow the last one, as a map
   from each word to its part of speech. problem: null, or { at, kind, word, instead }: what is wrong
   with word number `at`, and words that could stand there instead. */
"use strict";
AM.parser = (function () {
  const { nouns, adjectives, verbs, prepositions, adverbs } = AM.lexicon;
  const DEEPEST = 2;  // a cat near a house near a bridge

  /* Why a word cannot stand where it was typed. */
  const SAY = Say.texts({
    unknown: "The lab does not know the word “{word}”.",
    place: "The word “{word}” cannot stand here.",
    vowel: "Before “{word}”, which begins with a vowel, English has “an”.",
    consonant: "Before “{word}”, which begins with a consonant, English has “a”.",
    number: "The word “{word}” does not agree in number with the word that stands before it.",
    agreement: "The verb “{word}” does not agree with its subject, or with “does” or “do” before it.",
    order: "In the lab, “{word}” stands before an adjective of color or character, and a noun has one adjective of each kind.",
    being: "Here the lab wants a person or an animal, and “{word}” is neither.",
    location: "After “near”, “in” and “behind” the lab wants a place, and “{word}” is none.",
    deep: "The lab nests no deeper: here “{word}” would begin a third layer.",
    object: "The verb “{word}” cannot stand here: what is seen, loved, followed … has been named already.",
    head: "Things and places do nothing in the lab: after “that”, say who sees or hears them.",
    taken: "What stands before “{word}” has one place or one relative clause already.",
  });

  const map = (list, of) => new Map(list.flatMap(of));
  const plain = (what, ...words) => map(words, (word) => [[word, { what }]]);
  const DETERMINERS = new Map([
    ["the", ["the", null]], ["a", ["a", false]], ["an", ["a", false]],
    ["my", ["my", null]], ["some", ["a", true]],
  ].map(([word, [determiner, plural]]) => [word, { what: "determiner", determiner, plural }]));
  const PREPOSITIONS = map(prepositions, (one) => [[one.english, { what: "preposition", one }]]);
  const ADVERBS = map(adverbs, (one) => [[one.english, { what: "adverb", one }]]);
  const AND = plain("conjunction", "and"), THAT = plain("pronoun", "that");
  const NOT = plain("negation", "not");
  const BEINGS = ["being"], ANYTHING = ["being", "place", "thing"];

  const adjectivesAt = (...positions) => map(
    adjectives.filter((one) => positions.includes(one.position)),
    (one) => [[one.english, { what: "adjective", one }]],
  );
  const nounForms = (kinds, plurals) => map(
    nouns.filter((one) => kinds.includes(one.kind)),
    (one) => plurals.map((plural) =>
      [plural ? one.english_plural : one.english, { what: "noun", one, plural }]),
  );
  const verbForms = (kinds, form) => map(
    verbs.filter((one) => kinds.includes(one.object)),
    (one) => [[one.english[form], { what: "verb", one }]],
  );
  const VOCABULARY = new Set([
    ...DETERMINERS.keys(), ...nounForms(ANYTHING, [false, true]).keys(),
    ...adjectivesAt("before", "after").keys(), ...PREPOSITIONS.keys(), ...ADVERBS.keys(),
    ...verbs.flatMap((one) => [...one.english, one.english_particle]).filter(Boolean),
    "and", "that", "not", "do", "does",
  ]);

  /* How many letters to change, add, drop or swap to make `a` of `b`. */
  function distance(a, b) {
    const rows = [[...Array(b.length + 1).keys()]];
    for (let i = 1; i <= a.length; i += 1) {
      rows.push([i]);
      for (let j = 1; j <= b.length; j += 1) {
        const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
        rows[i][j] = Math.min(
          rows[i - 1][j] + 1, rows[i][j - 1] + 1,
          rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1),
          swap ? rows[i - 2][j - 2] + 1 : Infinity,
        );
      }
    }
    return rows[a.length][b.length];
  }

  /* The words most like `word`, those that fit here first. */
  function nearest(word, fitting) {
    const far = (one) => distance(word, one) - (fitting.has(one) ? 0.6 : 0);
    return [...VOCABULARY].filter((one) => distance(word, one) <= Math.max(1, word.length / 2))
      .sort((a, b) => far(a) - far(b)).slice(0, 3);
  }

  const STOP = new Error("the words end here, or the next one does not fit");

  function parse(words) {
    let at = 0;
    let next = new Map();  // what may stand at place `at`
    let near = new Map();  // what might, but for a reason: word → kind of problem
    let article = "";  // "a" or "an", where that is the word before

    function allowed(word) {
      return !article || (article === "an") === /^[aeiou]/.test(word);
    }

    /* The word at place `at`, if it is one of `choices`; whatever it is, they are noted. */
    function may(choices) {
      for (const [word, value] of choices) {
        if (allowed(word)) next.set(word, value.what);
        else near.set(word, "article");
      }
      const word = words[at];
      if (at >= words.length || !choices.has(word) || !allowed(word)) return null;
      at += 1;
      next = new Map();
      near = new Map();
      article = word === "a" || word === "an" ? word : "";
      return choices.get(word);
    }

    function must(choices) {
      const found = may(choices);
      if (!found) throw STOP;
      return found;
    }

    /* The first reason is the nearest one. */
    function explain(kind, choices) {
      for (const word of choices.keys()) if (!near.has(word)) near.set(word, kind);
    }

    function phrase(depth, kinds) {
      const { determiner, plural } = must(DETERMINERS);
      const np = {
        determiner, adjectives: {}, depth,
        noun: null, plural, preposition: null, place: null, relative: null, partner: null,
      };
      const plurals = plural === null ? [false, true] : [plural];
      while (!np.noun) {
        const { before, after } = np.adjectives;
        explain("order", adjectivesAt("before", "after"));
        if (plural !== null) explain("number", nounForms(kinds, [!plural]));
        explain(kinds[0] === "place" ? "location" : "being", nounForms(ANYTHING, [false, true]));
        const fitting = after ? [] : before ? ["after"] : ["before", "after"];
        const found = must(new Map([...adjectivesAt(...fitting), ...nounForms(kinds, plurals)]));
        if (found.what === "adjective") np.adjectives[found.one.position] = found.one;
        else Object.assign(np, { noun: found.one, plural: found.plural });
      }
      if (depth >= DEEPEST) {
        explain("deep", new Map([...PREPOSITIONS, ...THAT]));
        return np;
      }
      const preposition = may(PREPOSITIONS);
      if (preposition) {
        np.preposition = preposition.one;
        np.place = phrase(depth + 1, preposition.one.korean ? ["place"] : BEINGS);
      } else if (may(THAT)) {
        np.relative = relative(np, depth + 1);
      }
      if (np.place || np.relative) explain("taken", new Map([...PREPOSITIONS, ...THAT]));
      return np;
    }

    /* After "that": its own subject ("that the dog sees"), or none ("that sleeps"). */
    function relative(head, depth) {
      const clause = emptyClause(depth, head);
      const begins = DETERMINERS.has(words[at]);
      if (begins || head.noun.kind !== "being") {
        for (const form of [0, 1]) explain("head", verbForms(["none", "direct", "indirect"], form));
        explain("head", new Map([...ADVERBS, ...plain("negation", "does", "do")]));
        clause.subject = phrase(depth, BEINGS);
        predicate(clause, ["direct"], false);
      } else {
        for (const [word, value] of DETERMINERS) next.set(word, value.what);
        predicate(clause, ["none", "direct", "indirect"], true);
      }
      return clause;
    }

    function emptyClause(depth, head) {
      return { verb: null, subject: null, object: null, negated: false, adverb: null, head, depth };
    }

    /* From the negation to the object. */
    function predicate(clause, kinds, withObject) {
      const plural = AM.grammar.isPlural(clause);
      explain("agreement", plain("negation", plural ? "does" : "do"));
      if (may(plain("negation", plural ? "do" : "does"))) {
        must(NOT);
        clause.negated = true;
      }
      const adverb = may(ADVERBS);
      if (adverb) clause.adverb = adverb.one;
      const form = plural || clause.negated ? 1 : 0;
      if (!withObject) {
        for (const any of [0, 1]) explain("object", verbForms(["none", "indirect"], any));
      }
      explain("agreement", verbForms(kinds, 1 - form));
      clause.verb = must(verbForms(kinds, form)).one;
      if (clause.verb.english_particle) must(plain("particle", clause.verb.english_particle));
      if (withObject && clause.verb.object !== "none") {
        clause.object = phrase(clause.depth, clause.verb.object === "direct" ? ANYTHING : BEINGS);
      }
    }

    function mainClause() {
      const clause = emptyClause(0, null);
      clause.subject = phrase(0, BEINGS);
      if (may(AND)) clause.subject.partner = phrase(0, BEINGS);
      predicate(clause, ["none", "direct", "indirect"], true);
      return clause;
    }

    const main = [];
    let whole = false;
    try {
      do { main.push(mainClause()); } while (may(AND));
      whole = at === words.length;
    } catch (error) {
      if (error !== STOP) throw error;
    }
    if (whole) return { meaning: { main }, next, problem: null };
    if (at === words.length) return { meaning: null, next, problem: null };
    const word = words[at];
    if (!VOCABULARY.has(word)) {
      const instead = nearest(word, next);
      return { meaning: null, next, problem: { at, kind: "unknown", word, instead } };
    }
    const kind = near.get(word) || "place";
    const instead = kind === "agreement" || kind === "number" ? otherForms(word, next) : [];
    return { meaning: null, next, problem: { at, kind, word, instead } };
  }

  /* The other form of a verb or a noun, where it fits. */
  function otherForms(word, next) {
    const forms = [
      ...verbs.map((one) => one.english),
      ...nouns.map((one) => [one.english, one.english_plural]), ["do", "does"],
    ];
    return forms.filter((pair) => pair.includes(word)).flat().filter((one) => next.has(one));
  }

  /* Typed text as words: lower case, no punctuation. */
  function wordsOf(text) {
    return text.toLowerCase().replace(/[^\p{L}]+/gu, " ").trim().split(" ").filter(Boolean);
  }

  /* The reason why a word cannot stand where it was typed. */
  function explain({ kind, word }) {
    const article = /^[aeiou]/.test(word) ? "vowel" : "consonant";
    return Say.fill(SAY[kind === "article" ? article : kind], { word });
  }

  return { parse, wordsOf, explain };
})();
