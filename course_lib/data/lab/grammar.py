"""The lab's grammar: one function writes a meaning in English, one in French, one in Korean.

Each written word carries **tags** that name the pieces of meaning it expresses. Two words of two
languages are *aligned* (정렬) when they share a tag, so the gold alignment comes from the
derivation itself. "du" carries the tags of "of" and of "the"; the Korean particle "-는" carries a
tag that no English word has.
"""

from collections.abc import Callable, Hashable, Iterator

from course_lib.data.lab.meaning import Clause, Meaning, NounPhrase

Token = tuple[str, frozenset[Hashable]]  # a word and the pieces of meaning it expresses


def _token(word: str, *tags: Hashable) -> Token:
    return word, frozenset(tags)


def _english_phrase(np: NounPhrase) -> Iterator[Token]:
    determiner = {"a": "some" if np.plural else "a"}.get(np.determiner, np.determiner)
    yield _token(determiner, (np, "determiner"))
    for position in ("before", "after"):  # as in French: size and age before color
        if position in np.adjectives:
            yield _token(np.adjectives[position].english, (np, position))
    yield _token(np.noun.english_plural if np.plural else np.noun.english, (np, "noun"))
    if np.place and np.preposition:
        yield _token(np.preposition.english, (np, "preposition"))
        yield from _english_phrase(np.place)
    if np.relative:
        yield _token("that", (np.relative, "relative"))
        yield from _english_clause(np.relative)
    if np.partner:
        yield _token("and", (np, "and"))
        yield from _english_phrase(np.partner)


def _english_clause(clause: Clause) -> Iterator[Token]:
    if clause.subject:
        yield from _english_phrase(clause.subject)
    if clause.negated:
        yield _token("do" if clause.plural else "does", (clause, "negation"))
        yield _token("not", (clause, "negation"))
    if clause.adverb:
        yield _token(clause.adverb.english, (clause, "adverb"))
    bare = clause.plural or clause.negated
    yield _token(clause.verb.english[bare], (clause, "verb"))
    if clause.verb.english_particle:
        yield _token(clause.verb.english_particle, (clause, "verb"))
    if clause.object:
        yield from _english_phrase(clause.object)


def _joined(
    meaning: Meaning, write: Callable[[Clause], Iterator[Token]], conjunction: str
) -> list[Token]:
    tokens = list(write(meaning.main[0]))
    for clause in meaning.main[1:]:
        tokens += [_token(conjunction, (clause, "and")), *write(clause)]
    return tokens


def english(meaning: Meaning) -> list[Token]:
    """The meaning in English: subject, verb, object; adjectives before the noun."""
    tokens = _joined(meaning, _english_clause, "and")
    # "a" before a vowel is "an".
    following = [word for word, _ in tokens[1:]] + [""]
    return [
        ("an", tags) if word == "a" and after[0] in "aeiou" else (word, tags)
        for (word, tags), after in zip(tokens, following, strict=True)
    ]


def _french_phrase(np: NounPhrase, *, negated: bool = False) -> Iterator[Token]:
    form = 2 * np.plural + (np.noun.gender == "f")
    determiner = {
        "the": ("le", "la", "les", "les"),
        "a": ("de",) * 4 if negated else ("un", "une", "des", "des"),
        "my": ("mon", "ma", "mes", "mes"),
    }[np.determiner][form]
    if determiner == "des" and "before" in np.adjectives:
        determiner = "de"  # "de petits chats"
    yield _token(determiner, (np, "determiner"))
    if "before" in np.adjectives:
        yield _token(np.adjectives["before"].french[form], (np, "before"))
    yield _token(np.noun.french_plural if np.plural else np.noun.french, (np, "noun"))
    if "after" in np.adjectives:
        yield _token(np.adjectives["after"].french[form], (np, "after"))
    if np.place and np.preposition:
        for word in np.preposition.french:
            yield _token(word, (np, "preposition"))
        yield from _french_phrase(np.place)
    if np.relative:
        pronoun = "que" if np.relative.subject else "qui"
        yield _token(pronoun, (np.relative, "relative"))
        yield from _french_clause(np.relative)
    if np.partner:
        yield _token("et", (np, "and"))
        yield from _french_phrase(np.partner)


def _french_clause(clause: Clause) -> Iterator[Token]:
    if clause.subject:
        yield from _french_phrase(clause.subject)
    if clause.negated:
        yield _token("ne", (clause, "negation"))
    yield _token(clause.verb.french[clause.plural], (clause, "verb"))
    if clause.negated:
        yield _token("pas", (clause, "negation"))
    if clause.adverb:
        yield _token(clause.adverb.french, (clause, "adverb"))
    if clause.verb.object == "indirect":
        yield _token("à", (clause, "verb"))
    if clause.object:
        no_article = clause.negated and clause.verb.object == "direct"  # "ne voit pas de chat"
        yield from _french_phrase(clause.object, negated=no_article)


def french(meaning: Meaning) -> list[Token]:
    """The meaning in French: gender, agreement, *ne … pas*, elision and contraction."""
    tokens = _joined(meaning, _french_clause, "et")
    return _elide(_contract(_elide(tokens)))  # again: de + des → de → d'amis


ELISION = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "que": "qu'", "ma": "mon"} | {
    "beau": "bel", "vieux": "vieil", "nouveau": "nouvel",
}  # fmt: skip
CONTRACTION = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"} | {
    ("de", "des"): "de", ("de", "de"): "de",  # the article gives way: "le chat d'amis"
}  # fmt: skip


def _elide(tokens: list[Token]) -> list[Token]:
    """Before a vowel: *l'oiseau*, *n'arrive*, *mon école*, *un vieil arbre*."""
    out: list[Token] = []
    for word, tags in reversed(tokens):
        if out and out[-1][0][0] in "aeiouhéêàô" and word in ELISION:
            plural = word == "vieux" and out[-1][0].endswith("s")  # "les vieux arbres"
            word = word if plural else ELISION[word]
        out.append((word, tags))
    return out[::-1]


def _contract(tokens: list[Token]) -> list[Token]:
    """*de* + *le* → *du*: one word, with the tags of both."""
    out: list[Token] = []
    for word, tags in tokens:
        if out and (out[-1][0], word) in CONTRACTION:
            before, tags_before = out.pop()
            word, tags = CONTRACTION[before, word], tags_before | tags
        out.append((word, tags))
    return out


def _particle(
    tokens: list[Token], after_consonant: str, after_vowel: str, *tags: Hashable
) -> Token:
    """Korean particles look at the last syllable: has it a final consonant (받침)?"""
    last_syllable = ord(tokens[-1][0][-1]) - ord("가")
    return _token(after_consonant if last_syllable % 28 else after_vowel, *tags)


def _begins_with_relative(np: NounPhrase) -> bool:
    """Whether a relative clause is the first thing that Korean says of `np`."""
    return bool(np.relative or (np.place and _begins_with_relative(np.place)))


def _korean_phrase(np: NounPhrase) -> list[Token]:
    tokens: list[Token] = []
    if np.relative:
        tokens += _korean_clause(np.relative, "는", (np.relative, "relative"))
    if np.place and np.preposition:
        tokens += _korean_phrase(np.place)
        if np.preposition.korean:
            tokens.append(_token(np.preposition.korean, (np, "preposition")))
        tokens.append(_token("-의", (np, "preposition")))
    some = np.determiner == "a" and np.plural
    determiner = {"a": "몇몇" if some else "어떤", "my": "내"}.get(np.determiner)
    if determiner:  # "the" has no counterpart
        tokens.append(_token(determiner, (np, "determiner")))
    for position, adjective in sorted(np.adjectives.items(), reverse=True):
        being = np.noun.kind == "being"
        tokens.append(_token(adjective.korean_being if being else adjective.korean, (np, position)))
    tokens.append(_token(np.noun.korean, (np, "noun")))
    if np.plural and not some:
        tokens.append(_token("-들", (np, "noun")))
    if np.partner:
        if _begins_with_relative(np.partner):  # -와 would join the relative clause
            tokens.append(_token("그리고", (np, "and")))
        else:
            tokens.append(_particle(tokens, "-과", "-와", (np, "and")))
        tokens += _korean_phrase(np.partner)
    return tokens


def _korean_subject(clause: Clause, subject: NounPhrase) -> list[Token]:
    """The topic particle -은/-는 marks what is known: "어떤 소녀" cannot take it."""
    tokens = _korean_phrase(subject)
    new = any(np and np.determiner == "a" for np in (subject, subject.partner))
    particles = ("-이", "-가") if clause.head or new else ("-은", "-는")
    return [*tokens, _particle(tokens, *particles, (clause, "subject marker"))]


def _korean_object(clause: Clause) -> list[Token]:
    verb, marker = (clause, "verb"), (clause, "object marker")
    tokens = _korean_phrase(clause.object) if clause.object else []
    if clause.object and clause.verb.object == "indirect":
        return [*tokens, _token("-에게", verb)]
    if clause.verb.korean_of_object:
        of = [_token("-의", marker)] if clause.object else []
        tokens += [*of, _token(clause.verb.korean_of_object, verb)]
    return tokens and [*tokens, _particle(tokens, "-을", "-를", marker)]


def _korean_clause(clause: Clause, ending: str, *ending_tags: Hashable) -> list[Token]:
    """`ending`: "는" (relative clause), "고" (and …) or "" (end of the sentence)."""
    tokens = _korean_subject(clause, clause.subject) if clause.subject else []
    tokens += _korean_object(clause)
    if clause.adverb:
        tokens.append(_token(clause.adverb.korean, (clause, "adverb")))
    verb = (clause, "verb")
    *noun, stem = clause.verb.korean_stem.split()
    tokens += [_token(word, verb) for word in noun]
    if clause.negated:
        # "항상 자지 않는다" would say "never sleeps"; with -는, "does not always sleep".
        tokens.append(_token(stem + ("지는" if clause.adverb else "지"), verb))
        tokens.append(_token("않" + (ending or "는다"), (clause, "negation"), *ending_tags))
    else:
        form = stem + ending if ending else clause.verb.korean.split()[-1]
        tokens.append(_token(form, verb, *ending_tags))
    return tokens


def korean(meaning: Meaning) -> list[Token]:
    """The meaning in Korean: subject, object, verb; particles follow their nouns."""
    tokens: list[Token] = []
    for clause, following in zip(meaning.main, meaning.main[1:], strict=False):
        tokens += _korean_clause(clause, "고", (following, "and"))
    return tokens + _korean_clause(meaning.main[-1], "")
