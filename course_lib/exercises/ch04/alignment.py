"""Exercise 4.4: the alignment error rate."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.exercises.engine.core import exercise, expect_number

# --- 4.4 alignment_error_rate ---------------------------------------------------------------------


@exercise(
    hints=(
        "For one sentence: how many links are in both sets? `a & g` is their intersection.",
        "Three counts over all sentences: right links, links of the model, links of the gold.",
        "Add up first, divide once. A mean over sentences would give a link of a short sentence "
        "more weight.",
    )
)
def alignment_error_rate(
    links: Sequence[set[tuple[int, int]]], gold: Sequence[set[tuple[int, int]]]
) -> float:
    """1 − 2 · |A ∩ G| / (|A| + |G|), with all links of all sentences in one count.

    links, gold: for each sentence a set of pairs (source index, target index).
    (Och & Ney 2003, section 5, with every gold link sure.)
    """
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    total = sum(map(len, links)) + sum(map(len, gold))
    return 1 - 2 * right / total


DIAGONAL = {(0, 0), (1, 1), (2, 2)}


@alignment_error_rate.case
def perfect_and_hopeless(answer):
    expect_number(
        answer([DIAGONAL], [DIAGONAL]), 0.0, "the error rate of the gold links themselves"
    )
    value = answer([{(0, 2), (1, 3), (3, 4)}], [{(0, 0), (1, 1)}])
    expect_number(value, 1.0, "the error rate without a single right link")


@alignment_error_rate.case
def too_many_and_too_few(answer):
    value = answer([{(0, 0), (1, 1), (0, 1), (1, 2)}], [DIAGONAL])
    expect_number(value, 3 / 7, "the error rate with two wrong links and one missing")


@alignment_error_rate.case
def source_comes_first(answer):
    value = answer([{(0, 0), (2, 1), (3, 2), (3, 3)}], [{(0, 0), (2, 1), (3, 2), (1, 3)}])
    expect_number(value, 1 / 4, "the error rate where the order of the words changes")


@alignment_error_rate.case
def a_link_belongs_to_its_sentence(answer):
    here, there = {(0, 0), (1, 1)}, {(0, 1), (1, 0)}
    value = answer([here, there], [there, here])
    expect_number(value, 1.0, "the error rate where each sentence has the links of the other")


@alignment_error_rate.case
def every_link_counts_the_same(answer):
    long = {(i, i) for i in range(9)}
    value = answer([long, {(0, 1)}], [long, {(0, 0)}])
    expect_number(value, 1 / 10, "the error rate with one wrong link of ten")


@alignment_error_rate.case
def a_sentence_without_links(answer):
    value = answer([set(), DIAGONAL], [{(0, 0)}, DIAGONAL])
    expect_number(value, 1 / 7, "the error rate where one sentence got no link")


@alignment_error_rate.mistake(
    "perfect_and_hopeless", says="1 is the best here: you return the F-score, not the error rate."
)
def the_f_score(links, gold):
    return 1 - alignment_error_rate.answer(links, gold)


@alignment_error_rate.mistake(
    "perfect_and_hopeless",
    says="The factor 2 is missing: a right link stands in *both* of the sets that you divide by.",
)
def without_the_factor(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / (sum(map(len, links)) + sum(map(len, gold)))


@alignment_error_rate.mistake(
    "too_many_and_too_few",
    says="You divide by the *gold* links only: recall. A model that links everything with "
    "everything would be perfect.",
)
def recall_only(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / sum(map(len, gold))


@alignment_error_rate.mistake(
    "too_many_and_too_few",
    says="You divide by the size of the union. That is the Jaccard distance, which is larger.",
)
def by_the_union(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / sum(len(a | g) for a, g in zip(links, gold, strict=True))


@alignment_error_rate.mistake(
    "source_comes_first",
    says="The pairs of one side are turned round. On a diagonal nobody notices; where the order of "
    "the words changes, right links turn wrong.",
)
def turned_round(links, gold):
    return alignment_error_rate.answer([{(t, s) for s, t in a} for a in links], gold)


@alignment_error_rate.mistake(
    "a_link_belongs_to_its_sentence",
    says="You pour the links of all sentences into one heap. (1, 0) of one sentence is not (1, 0) "
    "of another.",
)
def one_heap(links, gold):
    ours = [link for a in links for link in a]
    right = [link for g in gold for link in g]
    return 1 - 2 * sum(link in right for link in ours) / (len(ours) + len(right))


@alignment_error_rate.mistake(
    "every_link_counts_the_same",
    says="You average the error rates of the sentences, so the one link of a short sentence weighs "
    "as much as the nine of a long one. Add up the links first.",
)
def mean_over_sentences(links, gold):
    rates = [alignment_error_rate.answer([a], [g]) for a, g in zip(links, gold, strict=True)]
    return sum(rates) / len(rates)


@alignment_error_rate.mistake(
    "a_sentence_without_links",
    says="You leave out sentences without a link of the model. Their gold links are missing all "
    "the same, and that is an error.",
)
def skips_sentences(links, gold):
    kept = [(a, g) for a, g in zip(links, gold, strict=True) if a]
    return alignment_error_rate.answer([a for a, _ in kept], [g for _, g in kept])


@alignment_error_rate.alternative
def by_the_difference(links, gold):
    ours = {(i, *link) for i, one in enumerate(links) for link in one}
    right = {(i, *link) for i, one in enumerate(gold) for link in one}
    return len(ours ^ right) / (len(ours) + len(right))
