/* What a lab sentence means, before it has words, and how it grows: course_lib/data/lab/meaning.py
   once more. A meaning starts as three English words, "the cat sleeps", and each growth adds an
   adjective, an adverb, a negation, a place, a relative clause, a partner or a main clause. */
"use strict";
AM.meaning = (function () {
  const { nouns, adjectives, verbs, prepositions, adverbs, held_out: heldOut } = AM.lexicon;
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const verbsWith = (...kinds) => verbs.filter((verb) => kinds.includes(verb.object));

  function nounPhrase(depth, kinds = ["being"]) {
    return {
      noun: pick(nouns.filter((noun) => kinds.includes(noun.kind))),
      determiner: pick(["the", "the", "a", "my"]),
      plural: Math.random() < 0.3,
      adjectives: {}, preposition: null, place: null, relative: null, partner: null, depth,
    };
  }

  function newClause(verb, subject, head = null, depth = 0) {
    return { verb, subject, object: null, negated: false, adverb: null, head, depth };
  }

  const mainClause = () => newClause(pick(verbsWith("none")), nounPhrase(0));

  /* Every noun phrase and every clause of a meaning, relative ones too. */
  function parts(meaning) {
    const phrases = [], clauses = [];
    function phrase(np) {
      if (!np) return;
      phrases.push(np);
      phrase(np.place);
      phrase(np.partner);
      if (np.relative) clause(np.relative);
    }
    function clause(one) {
      clauses.push(one);
      phrase(one.subject);
      phrase(one.object);
    }
    meaning.main.forEach(clause);
    return { phrases, clauses };
  }

  /* What may be added at one random place: pairs of (English words it costs, how). `keep`: without
     taking another verb. */
  function growths(meaning, keep) {
    const { phrases, clauses } = parts(meaning);
    const np = pick(phrases), clause = pick(clauses), adjective = pick(adjectives);
    const found = [];
    if (!np.adjectives[adjective.position]) {
      found.push([1, () => { np.adjectives[adjective.position] = adjective; }]);
    }
    if (!clause.adverb) found.push([1, () => { clause.adverb = pick(adverbs); }]);
    if (!clause.negated) found.push([2, () => { clause.negated = true; }]);
    if (clause.verb.object === "none" && !keep) {
      const verb = pick(verbsWith("direct", "indirect"));
      const kinds = verb.object === "indirect" ? ["being"] : ["being", "place", "thing"];
      found.push([verb.english_particle ? 3 : 2, () => {
        clause.verb = verb;
        clause.object = nounPhrase(clause.depth, kinds);
      }]);
    }
    // One modifier a noun phrase: with two, "that sleeps" could hang on either noun.
    if (!np.place && !np.relative && np.depth < 2) {
      const preposition = pick(prepositions), direct = pick(verbsWith("direct"));
      found.push([3, () => {
        np.preposition = preposition;
        np.place = nounPhrase(np.depth + 1, [preposition.korean ? "place" : "being"]);
      }]);
      if (np.noun.kind === "being") {
        found.push([2, () => {
          np.relative = newClause(pick(verbsWith("none")), null, np, np.depth + 1);
        }]);
      }
      found.push([direct.english_particle ? 5 : 4, () => {
        np.relative = newClause(direct, nounPhrase(np.depth + 1), np, np.depth + 1);
      }]);
    }
    if (meaning.main.includes(clause)) {
      if (!clause.subject.partner) {
        found.push([3, () => { clause.subject.partner = nounPhrase(0); }]);
      }
      found.push([4, () => { meaning.main.push(mainClause()); }]);
    }
    return found;
  }

  /* Add `words` English words; false when nothing of a fitting size was found. */
  function grow(meaning, words, keep = false) {
    for (let tries = 20 * words; tries > 0 && words > 0; tries -= 1) {
      const fitting = growths(meaning, keep).filter(([cost]) => cost <= words);
      if (!fitting.length) continue;
      const [cost, add] = pick(fitting);
      add();
      words -= cost;
    }
    return words === 0;
  }

  /* CRC-32, as zlib has it; of plain letters. */
  function checksum(text) {
    let crc = -1;
    for (let i = 0; i < text.length; i += 1) {
      crc ^= text.charCodeAt(i);
      for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
  }

  /* Which part of the lab a sentence belongs to, from its words alone: no model was trained on a
     sentence that is not in "train". */
  function splitOf(meaning) {
    const pairs = parts(meaning).phrases.flatMap((np) =>
      Object.values(np.adjectives).map((one) => `${one.english} ${np.noun.english}`));
    if (pairs.some((pair) => heldOut.includes(pair))) return "combination";
    const rest = checksum(AM.grammar.english(meaning).join(" ")) % 10;
    return { 8: "validation", 9: "test" }[rest] || "train";
  }

  /* A meaning of `words` English words that no model was trained on. */
  function draw(words) {
    for (;;) {
      const meaning = { main: [mainClause()] };
      if (grow(meaning, words - 3) && splitOf(meaning) === "test") return meaning;
    }
  }

  return { draw, grow, splitOf };
})();
