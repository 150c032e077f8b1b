"""Rules that a Korean message must keep: `problems(english, korean)` lists what it breaks.

What both languages share must be equal: numbers, code, formulas, links, tags, slots. The Korean
has one register (합니다체), the terms of `locale/ko/terms.tsv`, particles that fit the sound of the
number or Latin word before them, and none of the marks that Markdown would print and not obey.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

LOCALE = Path(__file__).parent.parent / "locale" / "ko"
TERMS = LOCALE / "terms.tsv"  # English, Korean, remarks
AVOID = LOCALE / "avoid.tsv"  # what must not be written, what to write
HANGUL = "가-힣"

CODE = re.compile(r"`[^`]+`")
MATH = re.compile(r"(?<!\\)\$[^$\n]+\$")
TARGET = re.compile(r"\]\(([^)\s]+)\)")
TAG = re.compile(r"</?[a-zA-Z][^>]*>|<!--.*?-->")
SLOT = re.compile(r"(?<![\w\\{^])\{[^{}]*\}(?!\})")
ROLE = re.compile(r"\{[a-z:-]+\}(?=`)")
# A role with a title of its own, {doc}`chapter 3 <…>`: the title may be translated.
TITLED = re.compile(r"(?<=\}`)[^`<]+(?=<[^`>]+>`)")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# English says small numbers in words; the Korean may write them as digits.
IN_WORDS = re.compile(
    r"\b(?:(?-i:[IVX]+)|zero|half|quarter|once|twice|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|\w+teen\w*|twent\w+|thirt\w+|fort\w+|fift\w+|sixt\w+|hundreds?|thousands?|"
    r"millions?|billions?|trillions?|dozens?|doubles?|first|second|third|fourth|fifth|tenth|each|both|"
    r"pairs?|single|alone|an?|few|minute|hour|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b",
    re.IGNORECASE,
)


def without(text: str, *patterns: re.Pattern[str]) -> str:
    """The text with a space in place of what the patterns find."""
    for pattern in patterns:
        text = pattern.sub(" ", text)
    return text


def bare(text: str) -> str:
    """The words alone: without code, formulas, link targets, tags and slots."""
    return TARGET.sub("]", without(text, TAG, CODE, MATH, ROLE, SLOT))


LARGE = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
UNITS = {"천": 1e3, "만": 1e4, "천만": 1e7, "억": 1e8, "조": 1e12}
IN_ENGLISH = re.compile(rf"(\d[\d.,]*) ({'|'.join(LARGE)})\b")
IN_KOREAN = re.compile(rf"(?:\d[\d.,]*(?:천만|[천억조]|만(?!큼)) ?)+(?:\d[\d,]*(?=[{HANGUL} ]))?")


def written_out(text: str) -> str:
    """Large numbers in digits: 1.1 million and 110만 are both 1100000."""

    def value(digits: str) -> float:
        return float(digits.rstrip(".,").replace(",", ""))

    def korean(found: re.Match[str]) -> str:
        parts = re.findall(r"(\d[\d.,]*)(천만|[천만억조])?", found[0])
        return f"{sum(value(n) * UNITS.get(unit, 1) for n, unit in parts):.0f} "

    text = IN_ENGLISH.sub(lambda found: f"{value(found[1]) * LARGE[found[2]]:.0f}", text)
    text = IN_KOREAN.sub(korean, text)
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def tag_names(text: str) -> Counter[str]:
    """Each tag with its attributes, but for the words that a reader sees."""
    seen = re.compile(
        r'(data-choices|data-label|data-number|alt|title|aria-label|placeholder)="([^"]*)"'
    )
    tags = (tag for tag in TAG.findall(text) if not tag.startswith("<!--"))
    return Counter(seen.sub(lambda m: f"{m[1]}={m[2].count('|')}", tag) for tag in tags)


def shared(english: str, korean: str) -> list[str]:
    """What should be equal in both languages and is not."""
    found = []
    kinds = {
        # A symbol may be named once more or less.
        "code": lambda text: Counter(set(CODE.findall(TAG.sub(" ", TITLED.sub("", text))))),
        "formulas": lambda text: Counter(set(MATH.findall(text))),
        "links": lambda text: Counter(TARGET.findall(text)),
        "tags": tag_names,
        "slots": lambda text: Counter(SLOT.findall(without(text, TAG, CODE, MATH))),
    }
    for name, of in kinds.items():
        a, b = of(english), of(korean)
        if a != b:
            found.append(f"{name} differ: English only {[*(a - b)]}, Korean only {[*(b - a)]}")
    a, b = (Counter(NUMBER.findall(written_out(bare(text)))) for text in (english, korean))
    if a - b:
        found.append(f"numbers are missing: {[*(a - b)]}")
    if b - a and not IN_WORDS.search(english):
        found.append(f"numbers are new: {[*(b - a)]}")
    return found


MARKDOWN = MarkdownIt("commonmark").enable("table")


def marks(korean: str) -> list[str]:
    """Marks of Markdown that a reader would see."""
    found = []
    quiet = MATH.sub("x", CODE.sub("x", korean))
    rendered = re.sub(r"<[^>]+>", "", MARKDOWN.renderInline(quiet))
    if "**" in rendered or re.search(r"(?<!\w)\*\S|\S\*(?!\w)", rendered):
        found.append("asterisks are printed: bold and italics must close after a letter")
    if "~" in quiet:
        found.append("a tilde becomes strikethrough: a range takes an en dash")
    if re.search(rf"(?<![*\w])\*[{HANGUL}][^*]*\*(?!\*)", quiet):
        found.append("Hangul in italics: use bold, ‘ ’ or the order of words")
    if "「" in quiet or re.search("[\uff01-\uff5e]", quiet):
        found.append("full-width punctuation")
    return found


BOTH = re.compile(r"[은는이가을를와과]\s?\([은는이가을를와과]\)|\(으\)로")
ORDERS = re.compile(r"(하십시오|하시오|십시오|바랍니다|해주세요)")
# The end of a sentence: the last word before a full stop, a question mark or the end.
PLAIN = re.compile(rf"[{HANGUL}]*(?<![니시])다(?=[.!?](?:\s|$|[*”’)]))")
POLITE = re.compile(rf"[{HANGUL}]*(?<![세까나])요(?=[.!?](?:\s|$|[*”’)]))")


def register(korean: str) -> list[str]:
    """합니다체 throughout, instructions in -세요."""
    text, found = bare(korean), []
    quoted = re.sub(r"“[^”]*”", " ", text)
    if BOTH.search(text):
        found.append(f"a particle in two forms: {BOTH.search(text)[0]}")
    if ORDERS.search(text):
        found.append(f"{ORDERS.search(text)[0]}: instructions end in -세요")
    found += [f"해라체: {one}" for one in PLAIN.findall(quoted)]
    found += [f"해요체: {one}" for one in POLITE.findall(quoted)]
    return found


# Particles by whether the sound before them ends in a consonant.
AFTER_CONSONANT = {"은": True, "는": False, "을": True, "를": False, "과": True, "와": False}
DIGITS = dict(zip("0123456789", (1, 1, 0, 1, 0, 0, 1, 1, 1, 0), strict=True))
LETTERS = {letter: letter in "LMNR" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
LIQUID = set("178LR")
# Latin words as they are read: ending in a consonant, and in a vowel.
CLOSED = "ULMFiT Adam Python Colab MiniLM FLOP TFLOP ImageNet token".split()
OPEN = (
    "BLEU chrF BERT GPT AdamW PyTorch Transformer ReLU GELU WordPiece Wikipedia OpenMoji ELMo SGD "
).split()
WORDS = {**dict.fromkeys(CLOSED, True), **dict.fromkeys(OPEN, False)}
ATTACHED = re.compile(
    rf"([A-Za-z][A-Za-z0-9.-]*|\d[\d.,]*|%)\)?(은|는|을|를|과|와|으로|로)(?![{HANGUL}])"
)


def ends_in_consonant(word: str) -> bool | None:
    """Whether a number or Latin word, read aloud in Korean, ends in a consonant; None: unknown."""
    if word == "%":
        return False
    if word in WORDS:
        return WORDS[word]
    last = word.rstrip(".,")[-1]
    if last.isdigit():
        return bool(DIGITS[last])
    if len(word) == 1 or word.isupper():
        return LETTERS[last.upper()]
    return None


def particles(korean: str) -> list[str]:
    """Particles that do not fit the number or Latin word before them."""
    found = []
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", CODE.sub("`", korean))
    text = re.sub(r"\$([^$]*?)\$", lambda m: re.sub(r"[^\w.=]", "", m[1]) or "`", text)
    text = re.sub(r"\([^()]*\)(?=[은는을를과와으로])", "", TAG.sub("", text)).replace("*", "")
    for word, particle in ATTACHED.findall(text):
        closed = ends_in_consonant(word)
        if closed is None:
            continue
        if particle in ("으로", "로"):
            wanted = "으로" if closed and word.rstrip(".,")[-1].upper() not in LIQUID else "로"
            if word not in WORDS and particle != wanted:
                found.append(f"{word}{particle}: read aloud it takes {wanted}")
        elif AFTER_CONSONANT[particle] != closed:
            found.append(f"{word}{particle}: the particle does not fit the sound")
    return found


@cache
def avoided() -> dict[str, str]:
    """Spellings that the term list replaces, with what to write."""
    rows = AVOID.read_text("utf8").splitlines()
    return dict(row.split("\t") for row in rows)


@cache
def terms() -> dict[str, str]:
    """The terms of more than one English word, the longest first, with their Korean."""
    rows = (line.split("\t") for line in TERMS.read_text("utf8").splitlines())
    found = {}
    for english, korean, *_ in rows:
        name = re.sub(r"\s*\(.*?\)", "", english)
        if " " in name and not set("/,.") & set(name) and not set("/") & set(korean):
            found[name.lower()] = re.sub(r"\(.*?\)", "", korean)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


TITLE = re.compile(r"\*[^*]+\*|\[[^\]]+\](?=\()|“[^”]+”|\([A-Z][^()]+\)")
# Terms whose words also mean something else.
LOOSE = {"the lab", "the cliff", "find the bug"}


def wording(english: str, korean: str) -> list[str]:
    """Terms that are translated in another way than the list says."""
    found = [f"{word}: write {better}" for word, better in avoided().items() if word in korean]
    for title in TITLE.findall(english):  # of a paper, or of a page elsewhere
        if title in korean:
            english = english.replace(title, " ")
    left = " ".join(bare(english).lower().replace("*", "").split())
    for term, wanted in terms().items():
        pattern = rf"\b{re.escape(term)}s?\b"
        if term in LOOSE or not re.search(pattern, left):
            continue
        left = re.sub(pattern, " ", left)
        if wanted.replace(" ", "") not in korean.replace(" ", "").replace("*", ""):
            found.append(f"“{term}” is {wanted}")
    return found


ELSEWHERE = re.compile(r"\[[^\]]*\]\([^)]*\)|“[^”]*”|\*[^*]+\*|\([^()]*\)")


def untranslated(english: str, korean: str) -> list[str]:
    """Passages that are still English: five Latin words in a row, outside links and quotations."""
    text = without(korean, TAG, CODE, ELSEWHERE, MATH)
    row = re.search(r"(?:\b[A-Za-z][a-z’']+[ ,]+){4,}[A-Za-z][a-z’']+", text)
    if row:
        return [f"still English: “{row[0]}”"]
    words = re.search(r"[A-Za-z]{3,} [A-Za-z]{3,}", bare(without(english, ELSEWHERE)))
    if words and korean != english and not re.search(f"[{HANGUL}]", korean):
        return ["no Hangul"]
    return []


def problems(english: str, korean: str) -> list[str]:
    """Everything that a Korean message breaks."""
    same = english == korean
    return [
        *shared(english, korean), *marks(korean), *register(korean), *particles(korean),
        *([] if same else wording(english, korean)), *untranslated(english, korean),
    ]  # fmt: skip
