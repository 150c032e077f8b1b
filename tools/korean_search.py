"""Sphinx extension: the search of the Korean pages; Sphinx itself has none for Korean.

A Korean word carries its particle: 정렬을, 정렬은, 정렬에서 are all 정렬. The index holds a word
without its particle, and a query loses its particle by the same rule, so that each form finds every
other. Where the rule may be wrong (the 도 of 정확도 is no particle, that of 모델도 is one; 길이 is
a word, and so is 길) the index holds the word both ways, and a query stays as it was typed: a rule
that is wrong then finds a page too many, and never one too few.

Words in other scripts are stemmed as English, also where a particle follows them: LSTM은 is found
as lstm.

The JavaScript below does to a query what the Python does to the pages, from the same lists
(tests/tools/test_korean_search.py compares them).
"""

import json
import re

from sphinx.application import Sphinx
from sphinx.search import SearchLanguage
from sphinx.search.en import SearchEnglish

CASES = (
    "에서 에게 에게서 에 으로 로 까지 부터 로부터 으로부터 과 와 보다 처럼 마다 만큼 대로".split()
)
AFTER_CASES = ["", *"는 은 도 만 의".split()]
COPULA = """
    입니다 입니까 이다 이고 이며 이지만 이라 이라는 이라고 이라면 이면 이어서 이므로 이었습니다
    였습니다 인데 인지 일까요 이란 이나
""".split()
# What makes a verb of a noun: 측정하는, 측정한, 측정합니다 are looked for as 측정.
VERB_ENDINGS = """
    다 고 는 지 며 면 여 게 기 기에 기는 던 려고 려면 도록 는데 지만 지는 지도 면서 므로 세요
    거나 자
""".split()
VERBS = [stem + ending for stem in ("하", "되") for ending in VERB_ENDINGS]
VERBS += """
    한 할 함 합니다 합니까 합시다 했습니다 했고 했는데 했지만 했을 했던 했다 해 해서 해야 해도
    하였습니다 한다 한다면 할까요
    된 될 됨 됩니다 됩니까 되었습니다 됐습니다 됐고 됐던 돼 돼서 돼야 된다 될까요
""".split()
PARTICLES = frozenset(
    [
        *"은 는 이 가 을 를 의".split(),
        *(case + more for case in CASES for more in AFTER_CASES),
        *COPULA,
        *VERBS,
    ]
)
# These may as well be the end of the word itself.
UNSURE = "도 만 들 인 일 임 뿐".split()
# How the syllable before a particle ends, by the particle's first syllable.
AFTER_CONSONANT, AFTER_VOWEL = "은을과으", "는를가와"

HANGUL = "가-힣"
WORD = re.compile(rf"[{HANGUL}]+|(?:(?![{HANGUL}])\w)+")
RIEUL = 8  # the number of ㄹ among the final consonants; 0 stands for none


def fits(before: str, particle: str) -> bool:
    """Whether a particle can follow a syllable: 을 a consonant, 를 a vowel, 로 a vowel or ㄹ.

    The 로 of 으로 is none of its own.
    """
    final = (ord(before) - ord("가")) % 28
    if particle[0] in AFTER_CONSONANT or particle == "이":
        return final > 0 and not (particle.startswith("으로") and final == RIEUL)
    if particle[0] in AFTER_VOWEL:
        return final == 0
    return particle[0] != "로" or (final in (0, RIEUL) and before != "으")


def bare(word: str, *, shortest: int = 2) -> str:
    """A Korean word without its particle, if `shortest` syllables or more are left."""
    for at in range(shortest, len(word)):
        if word[at:] in PARTICLES and fits(word[at - 1], word[at:]):
            return word[:at]
    return word


def forms(word: str) -> list[str]:
    """What the index holds for a Korean word: all that a query for it may be."""
    found: list[str] = []
    waiting = [bare(word)]
    while waiting:
        form = waiting.pop()
        if form in found:
            continue
        found.append(form)
        waiting += [bare(form), bare(form, shortest=1)]
        if len(form) > 1 and form[-1] in UNSURE:
            waiting.append(form[:-1])
    return found


# For JavaScript: the lists above, and what it does with a query.
LISTS = json.dumps(
    {
        "particles": sorted(PARTICLES),
        "afterConsonant": AFTER_CONSONANT,
        "afterVowel": AFTER_VOWEL,
        "rieul": RIEUL,
    },
    ensure_ascii=False,
)
QUERY = """var splitQuery = (function () {
  const particles = new Set(KOREAN.particles);
  const fits = function (before, particle) {
    const final = (before.charCodeAt(0) - "가".charCodeAt(0)) % 28;
    if (KOREAN.afterConsonant.includes(particle[0]) || particle === "이")
      return final > 0 && !(particle.startsWith("으로") && final === KOREAN.rieul);
    if (KOREAN.afterVowel.includes(particle[0])) return final === 0;
    return particle[0] !== "로" || ((final === 0 || final === KOREAN.rieul) && before !== "으");
  };
  const bare = function (word) {
    for (let at = 2; at < word.length; at += 1)
      if (particles.has(word.slice(at)) && fits(word[at - 1], word.slice(at)))
        return word.slice(0, at);
    return word;
  };
  const words = /[가-힣]+|(?:(?![가-힣])[\\p{L}\\p{N}_])+/gu;
  return (query) => (query.normalize("NFC").match(words) || [])
    .map((word) => (/^[가-힣]/.test(word) ? bare(word) : word));
})();

// Sphinx takes a word of one or two letters for noise and finds pages without it; in Korean most
// words have two. Here a page must have every word, and counts what each of them is worth.
if (typeof Search !== "undefined") {
  const withAny = Search.performTermsSearch;
  Search.performTermsSearch = function (terms, excluded) {
    let found = null;
    for (const term of terms) {
      const pages = new Map(
        withAny.call(Search, new Set([term]), excluded).map((page) => [page[0], page]));
      if (found === null) found = pages;
      else for (const [name, page] of found) {
        if (pages.has(name)) page[4] += pages.get(name)[4];
        else found.delete(name);
      }
    }
    return found === null ? [] : [...found.values()];
  };
}
"""


class SearchKorean(SearchEnglish):
    """Words of a page for the index, and the same in JavaScript for a query."""

    lang = "ko"
    language_name = "Korean"
    # A particle after a word in Latin script stands alone when the two are told apart.
    stopwords = SearchEnglish.stopwords | {
        "은",
        "는",
        "이",
        "가",
        "을",
        "를",
        "의",
        "와",
        "과",
        "에",
    }

    def split(self, input: str) -> list[str]:
        """The words of a text; of a Korean word each of its forms."""
        words = WORD.findall(input)
        return [
            form for word in words for form in (forms(word) if "가" <= word[0] <= "힣" else [word])
        ]

    def word_filter(self, word: str) -> bool:
        return SearchLanguage.word_filter(self, word) and word not in self.stopwords

    js_stemmer_code = SearchEnglish.js_stemmer_code + f"\nconst KOREAN = {LISTS};\n" + QUERY


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(SearchKorean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
