"""The words of the translation lab: one row a word, in English, French and Korean.

Korean verbs are given by stem (for *-고*, *-는*, *-지*) and by their plain present form. Stems that
end in ㄹ are left out: they lose it before *-는*, and the grammar file should stay short. A verb of
two words has a noun before its stem ("미소 짓", to make a smile).
"""

from typing import NamedTuple


class Noun(NamedTuple):
    english: str
    english_plural: str
    french: str
    french_plural: str
    gender: str  # "m" or "f"
    korean: str
    kind: str  # "being" (can act), "place" (one can be in or near it) or "thing"


class Adjective(NamedTuple):
    english: str
    french: tuple[str, ...]  # masculine, feminine, masculine plural, feminine plural
    position: str  # "before" or "after" the French noun
    korean: str
    korean_being: str  # of people and animals: 늙은, where a house is 오래된


class Verb(NamedTuple):
    english: tuple[str, str]  # third person singular, plural
    english_particle: str  # "look AT"; "" where there is none
    french: tuple[str, str]
    object: str  # "none", "direct" or "indirect" (French à, Korean -에게)
    korean_stem: str
    korean: str
    korean_of_object: str = ""  # what of the object: Korean hears "the *sound* of" a cat


class Preposition(NamedTuple):
    english: str
    french: tuple[str, ...]
    korean: str  # the place noun before -의; "" for plain possession


class Adverb(NamedTuple):
    english: str
    french: str
    korean: str


NOUNS = tuple(
    Noun(*row.split())
    for row in """
    man men homme hommes m 남자 being
    woman women femme femmes f 여자 being
    child children enfant enfants m 아이 being
    girl girls fille filles f 소녀 being
    teacher teachers professeur professeurs m 교사 being
    doctor doctors médecin médecins m 의사 being
    friend friends ami amis m 친구 being
    queen queens reine reines f 여왕 being
    cat cats chat chats m 고양이 being
    dog dogs chien chiens m 개 being
    bird birds oiseau oiseaux m 새 being
    horse horses cheval chevaux m 말 being
    house houses maison maisons f 집 place
    garden gardens jardin jardins m 정원 place
    school schools école écoles f 학교 place
    church churches église églises f 교회 place
    tree trees arbre arbres m 나무 place
    bridge bridges pont ponts m 다리 place
    book books livre livres m 책 thing
    letter letters lettre lettres f 편지 thing
    apple apples pomme pommes f 사과 thing
    star stars étoile étoiles f 별 thing
    """.strip().splitlines()
)

ADJECTIVES = tuple(
    Adjective(english, tuple(french.split()), position, *(korean.split() * 2)[:2])
    for english, french, position, korean in (
        ("small", "petit petite petits petites", "before", "작은"),
        ("big", "grand grande grands grandes", "before", "큰"),
        ("old", "vieux vieille vieux vieilles", "before", "오래된 늙은"),
        ("beautiful", "beau belle beaux belles", "before", "아름다운"),
        ("new", "nouveau nouvelle nouveaux nouvelles", "before", "새로운"),
        ("good", "bon bonne bons bonnes", "before", "좋은"),
        ("white", "blanc blanche blancs blanches", "after", "하얀"),
        ("black", "noir noire noirs noires", "after", "검은"),
        ("green", "vert verte verts vertes", "after", "초록색"),
        ("strange", "étrange étrange étranges étranges", "after", "이상한"),
        ("quiet", "tranquille tranquille tranquilles tranquilles", "after", "조용한"),
        ("famous", "célèbre célèbre célèbres célèbres", "after", "유명한"),
    )
)

VERBS = (
    Verb(("sleeps", "sleep"), "", ("dort", "dorment"), "none", "자", "잔다"),
    Verb(("sings", "sing"), "", ("chante", "chantent"), "none", "노래하", "노래한다"),
    Verb(("runs", "run"), "", ("court", "courent"), "none", "달리", "달린다"),
    Verb(("arrives", "arrive"), "", ("arrive", "arrivent"), "none", "도착하", "도착한다"),
    Verb(("laughs", "laugh"), "", ("rit", "rient"), "none", "웃", "웃는다"),
    Verb(("sees", "see"), "", ("voit", "voient"), "direct", "보", "본다"),
    Verb(("loves", "love"), "", ("aime", "aiment"), "direct", "사랑하", "사랑한다"),
    Verb(("follows", "follow"), "", ("suit", "suivent"), "direct", "따르", "따른다"),
    Verb(("hears", "hear"), "", ("entend", "entendent"), "direct", "듣", "듣는다", "소리"),
    Verb(("looks", "look"), "at", ("regarde", "regardent"), "direct", "바라보", "바라본다"),
    Verb(("waits", "wait"), "for", ("attend", "attendent"), "direct", "기다리", "기다린다"),
    Verb(("speaks", "speak"), "to", ("parle", "parlent"), "indirect", "말하", "말한다"),
    Verb(("smiles", "smile"), "at", ("sourit", "sourient"), "indirect", "미소 짓", "미소 짓는다"),
    Verb(("answers", "answer"), "", ("répond", "répondent"), "indirect", "대답하", "대답한다"),
)

PREPOSITIONS = (
    Preposition("of", ("de",), ""),
    Preposition("near", ("près", "de"), "근처"),
    Preposition("in", ("dans",), "안"),
    Preposition("behind", ("derrière",), "뒤"),
)

ADVERBS = (
    Adverb("often", "souvent", "자주"),
    Adverb("always", "toujours", "항상"),
    Adverb("rarely", "rarement", "드물게"),
)
