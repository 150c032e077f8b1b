"""What a lab sentence means, before it has words: clauses, noun phrases, and how they grow.

A meaning starts as three English words, "the cat sleeps", and *grows* (an adjective, a relative
clause, a negation, a coordinated clause, …) until its English has the length that was asked for.
Growth never makes two readings: a noun phrase takes one place or one relative clause, not both.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from course_lib.data.lab.lexicon import (
    ADJECTIVES,
    ADVERBS,
    NOUNS,
    PREPOSITIONS,
    VERBS,
    Adjective,
    Adverb,
    Noun,
    Preposition,
    Verb,
)


@dataclass(eq=False)
class NounPhrase:
    noun: Noun
    determiner: str  # "the", "a" or "my"
    plural: bool
    adjectives: dict[str, Adjective] = field(default_factory=dict)  # position → adjective
    preposition: Preposition | None = None
    place: "NounPhrase | None" = None  # what the preposition governs
    relative: "Clause | None" = None
    partner: "NounPhrase | None" = None  # "… and my dog"; subjects of main clauses only


@dataclass(eq=False)
class Clause:
    verb: Verb
    subject: NounPhrase | None  # None: the gap of a subject relative, "the cat that ( ) sleeps"
    object: NounPhrase | None = None  # None as well in the gap of an object relative
    negated: bool = False
    adverb: Adverb | None = None
    head: NounPhrase | None = None  # the noun phrase a relative clause hangs on
    depth: int = 0

    @property
    def plural(self) -> bool:
        if self.subject is None:
            return self.head is not None and self.head.plural
        return self.subject.plural or self.subject.partner is not None


def _verbs(kind: str) -> list[Verb]:
    return [verb for verb in VERBS if verb.object == kind]


class Meaning:
    """A sentence before it has words. Starts with three English words; `grow` adds more."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.phrases: list[tuple[NounPhrase, int]] = []  # with nesting depth
        self.clauses: list[Clause] = []  # every clause, relative ones too
        self.main: list[Clause] = []
        self._main_clause()

    def _noun_phrase(self, depth: int, kinds: tuple[str, ...] = ("being",)) -> NounPhrase:
        noun = self.rng.choice([noun for noun in NOUNS if noun.kind in kinds])
        determiner = self.rng.choice(("the", "the", "a", "my"))
        phrase = NounPhrase(noun, determiner, plural=self.rng.random() < 0.3)
        self.phrases.append((phrase, depth))
        return phrase

    def _main_clause(self) -> None:
        clause = Clause(self.rng.choice(_verbs("none")), self._noun_phrase(0))
        self.main.append(clause)
        self.clauses.append(clause)

    def _growths(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """What may be added at one random place: pairs of (English words it costs, how)."""
        rng = self.rng
        phrase, depth = rng.choice(self.phrases)
        clause = rng.choice(self.clauses)
        adjective = rng.choice(ADJECTIVES)
        if adjective.position not in phrase.adjectives:
            yield 1, lambda: phrase.adjectives.update({adjective.position: adjective})
        if clause.adverb is None:
            yield 1, lambda: setattr(clause, "adverb", rng.choice(ADVERBS))
        if not clause.negated:
            yield 2, lambda: setattr(clause, "negated", True)
        if clause.verb.object == "none":
            verb = rng.choice(_verbs("direct") + _verbs("indirect"))
            kinds = ("being",) if verb.object == "indirect" else ("being", "place", "thing")

            def transitive() -> None:
                clause.verb = verb
                clause.object = self._noun_phrase(clause.depth, kinds)

            yield 2 + bool(verb.english_particle), transitive
        # One modifier a noun phrase: with two, "that sleeps" could hang on either noun.
        if phrase.place is None and phrase.relative is None and depth < 2:
            preposition = rng.choice(PREPOSITIONS)

            def prepositional() -> None:
                kinds = ("place",) if preposition.korean else ("being",)
                phrase.preposition = preposition
                phrase.place = self._noun_phrase(depth + 1, kinds)

            yield 3, prepositional
            if phrase.noun.kind == "being":
                yield 2, lambda: self._relative(phrase, depth, gap="subject")
            direct = rng.choice(_verbs("direct"))
            cost = 4 + bool(direct.english_particle)
            yield cost, lambda: self._relative(phrase, depth, gap="object", verb=direct)
        subject = clause.subject
        if clause in self.main and subject and subject.partner is None:
            yield 3, lambda: setattr(subject, "partner", self._noun_phrase(0))
        if clause in self.main:
            yield 4, self._main_clause

    def _relative(self, head: NounPhrase, depth: int, gap: str, verb: Verb | None = None) -> None:
        subject = None if gap == "subject" else self._noun_phrase(depth + 1)
        verb = verb or self.rng.choice(_verbs("none"))
        head.relative = Clause(verb, subject, head=head, depth=depth + 1)
        self.clauses.append(head.relative)

    def grow(self, words: int) -> bool:
        """Add `words` English words; False when no growth of a fitting size was found."""
        for _ in range(20 * words):
            if words == 0:
                break
            fitting = [growth for growth in self._growths() if growth[0] <= words]
            if fitting:
                cost, apply = self.rng.choice(fitting)
                apply()
                words -= cost
        return words == 0
