/* The lab's grammar in the page: one function writes a meaning in English, one in French, one in
   Korean. It is course_lib/data/lab/grammar.py once more, and tests/browser/test_grammar_js.py holds
   the two together. The words come from live/lexicon.js, which the build writes from the lexicon of
   the course.

   A meaning is { main: [clause, …] }.
   A clause has verb, subject (null in the gap of "the cat that ( ) sleeps"), object, negated, adverb,
   head (what a relative clause hangs on) and depth.
   A noun phrase has noun, determiner ("the", "a" or "my"), plural, adjectives (by position, "before"
   or "after" the French noun), preposition and place, relative, partner ("… and my dog") and depth. */
"use strict";
AM.grammar = (function () {
  const { elision, contraction } = AM.lexicon;

  function isPlural(clause) {
    if (!clause.subject) return clause.head.plural;
    return clause.subject.plural || Boolean(clause.subject.partner);
  }

  function joined(meaning, write, conjunction) {
    return meaning.main.flatMap((clause, i) => [...(i ? [conjunction] : []), ...write(clause)]);
  }

  // English

  function* englishPhrase(np) {
    yield np.determiner === "a" && np.plural ? "some" : np.determiner;
    for (const position of ["before", "after"]) {  // as in French: size and age before color
      if (np.adjectives[position]) yield np.adjectives[position].english;
    }
    yield np.plural ? np.noun.english_plural : np.noun.english;
    if (np.place) {
      yield np.preposition.english;
      yield* englishPhrase(np.place);
    }
    if (np.relative) {
      yield "that";
      yield* englishClause(np.relative);
    }
    if (np.partner) {
      yield "and";
      yield* englishPhrase(np.partner);
    }
  }

  function* englishClause(clause) {
    if (clause.subject) yield* englishPhrase(clause.subject);
    if (clause.negated) yield* [isPlural(clause) ? "do" : "does", "not"];
    if (clause.adverb) yield clause.adverb.english;
    yield clause.verb.english[isPlural(clause) || clause.negated ? 1 : 0];
    if (clause.verb.english_particle) yield clause.verb.english_particle;
    if (clause.object) yield* englishPhrase(clause.object);
  }

  function english(meaning) {
    const words = joined(meaning, englishClause, "and");
    return words.map((word, i) => (word === "a" && /^[aeiou]/.test(words[i + 1]) ? "an" : word));
  }

  // French

  function* frenchPhrase(np, noArticle = false) {
    const form = 2 * np.plural + (np.noun.gender === "f");
    const determiner = {
      the: ["le", "la", "les", "les"],
      a: noArticle ? ["de", "de", "de", "de"] : ["un", "une", "des", "des"],
      my: ["mon", "ma", "mes", "mes"],
    }[np.determiner][form];
    const { before, after } = np.adjectives;
    yield determiner === "des" && before ? "de" : determiner;  // "de petits chats"
    if (before) yield before.french[form];
    yield np.plural ? np.noun.french_plural : np.noun.french;
    if (after) yield after.french[form];
    if (np.place) {
      yield* np.preposition.french;
      yield* frenchPhrase(np.place);
    }
    if (np.relative) {
      yield np.relative.subject ? "que" : "qui";
      yield* frenchClause(np.relative);
    }
    if (np.partner) {
      yield "et";
      yield* frenchPhrase(np.partner);
    }
  }

  function* frenchClause(clause) {
    if (clause.subject) yield* frenchPhrase(clause.subject);
    if (clause.negated) yield "ne";
    yield clause.verb.french[isPlural(clause) ? 1 : 0];
    if (clause.negated) yield "pas";
    if (clause.adverb) yield clause.adverb.french;
    if (clause.verb.object === "indirect") yield "à";
    if (clause.object) {
      // "ne voit pas de chat"
      yield* frenchPhrase(clause.object, clause.negated && clause.verb.object === "direct");
    }
  }

  /* Before a vowel: "l'oiseau", "n'arrive", "mon école", "un vieil arbre". From the end, because what
     stands behind may itself have changed. */
  function elide(words) {
    const out = [];
    for (const word of [...words].reverse()) {
      const next = out[0];
      const vowel = next && "aeiouhéêàô".includes(next[0]) && word in elision;
      const plural = word === "vieux" && next && next.endsWith("s");  // "les vieux arbres"
      out.unshift(vowel && !plural ? elision[word] : word);
    }
    return out;
  }

  /* "de" + "le" is "du". */
  function contract(words) {
    const out = [];
    for (const word of words) {
      const both = out.length ? contraction[`${out[out.length - 1]} ${word}`] : undefined;
      if (both) out[out.length - 1] = both;
      else out.push(word);
    }
    return out;
  }

  function french(meaning) {
    return elide(contract(elide(joined(meaning, frenchClause, "et"))));  // again: d'amis
  }

  // Korean

  /* Particles look at the last syllable: has it a final consonant? */
  function particle(words, afterConsonant, afterVowel) {
    const last = words[words.length - 1];
    return (last.charCodeAt(last.length - 1) - 0xac00) % 28 ? afterConsonant : afterVowel;
  }

  function beginsWithRelative(np) {
    return Boolean(np.relative || (np.place && beginsWithRelative(np.place)));
  }

  function koreanPhrase(np) {
    const words = [];
    if (np.relative) words.push(...koreanClause(np.relative, "는"));
    if (np.place) {
      words.push(...koreanPhrase(np.place));
      if (np.preposition.korean) words.push(np.preposition.korean);
      words.push("-의");
    }
    const some = np.determiner === "a" && np.plural;
    if (np.determiner === "a") words.push(some ? "몇몇" : "어떤");
    if (np.determiner === "my") words.push("내");  // "the" has no counterpart
    for (const position of ["before", "after"]) {
      const adjective = np.adjectives[position];
      if (adjective) {
        words.push(np.noun.kind === "being" ? adjective.korean_being : adjective.korean);
      }
    }
    words.push(np.noun.korean);
    if (np.plural && !some) words.push("-들");
    if (np.partner) {
      // -와 would join a relative clause that follows
      const and = beginsWithRelative(np.partner) ? "그리고" : particle(words, "-과", "-와");
      words.push(and, ...koreanPhrase(np.partner));
    }
    return words;
  }

  /* The topic particle marks what is known: "어떤 소녀" cannot take it. */
  function koreanSubject(clause) {
    const words = koreanPhrase(clause.subject);
    const isNew = [clause.subject, clause.subject.partner].some((np) => np && np.determiner === "a");
    const marks = clause.head || isNew ? ["-이", "-가"] : ["-은", "-는"];
    return [...words, particle(words, ...marks)];
  }

  function koreanObject(clause) {
    const words = clause.object ? koreanPhrase(clause.object) : [];
    if (clause.object && clause.verb.object === "indirect") return [...words, "-에게"];
    if (clause.verb.korean_of_object) {  // one hears "the sound of" a cat
      if (clause.object) words.push("-의");
      words.push(clause.verb.korean_of_object);
    }
    return words.length ? [...words, particle(words, "-을", "-를")] : [];
  }

  /* `ending`: "는" in a relative clause, "고" for "and …", "" at the end of the sentence. */
  function koreanClause(clause, ending) {
    const words = clause.subject ? koreanSubject(clause) : [];
    words.push(...koreanObject(clause));
    if (clause.adverb) words.push(clause.adverb.korean);
    const noun = clause.verb.korean_stem.split(" ");
    const stem = noun.pop();
    words.push(...noun);
    if (clause.negated) {
      words.push(stem + (clause.adverb ? "지는" : "지"), "않" + (ending || "는다"));
    } else {
      words.push(ending ? stem + ending : clause.verb.korean.split(" ").pop());
    }
    return words;
  }

  function korean(meaning) {
    const last = meaning.main.length - 1;
    return meaning.main.flatMap((clause, i) => koreanClause(clause, i < last ? "고" : ""));
  }

  /* As people write it: "l'" and Korean particles join their neighbor. */
  function joinedText(words) {
    return words.join(" ").replaceAll("' ", "'").replaceAll(" -", "");
  }

  return { english, french, korean, isPlural, joinedText };
})();
