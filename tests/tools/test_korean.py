"""The rules of the Korean text, each with a message that breaks it."""

import pytest

from tools import korean


def found(rule, *messages: str) -> str:
    return "\n".join(rule(*messages))


@pytest.mark.parametrize(
    "english, message, expected",
    [
        ("It took 30 words.", "40단어입니다.", "numbers"),
        ("See `loss`.", "손실을 보세요.", "code"),
        ("The state $h_t$.", "상태 $h$입니다.", "formulas"),
        ("See [chapter 2](02.ipynb).", "[2장](03.ipynb)을 보세요.", "links"),
        ("<kbd>Tab</kbd> moves.", "Tab으로 옮깁니다.", "tags"),
        ("{n} words", "단어 {m}개", "slots"),
    ],
)
def test_both_languages_share_what_is_not_words(english, message, expected):
    assert expected in found(korean.shared, english, message)


def test_choices_may_be_translated_but_not_dropped():
    english = 'Guess. <span class="guess" data-choices="better|worse"></span>'
    assert not korean.shared(english, english.replace("better|worse", "낫다|못하다"))
    assert "tags" in found(korean.shared, english, english.replace("better|worse", "낫다"))


def test_the_title_of_a_role_may_be_translated_but_not_its_target():
    english = "See {doc}`chapter 1 <../notebooks/01_x>`."
    assert not korean.shared(english, "{doc}`1장 <../notebooks/01_x>`을 보세요.")
    assert "code" in found(korean.shared, english, "{doc}`1장 <../notebooks/02_x>`을 보세요.")


@pytest.mark.parametrize(
    "english, message",
    [
        ("1.1 million subwords", "서브워드 110만 개"),
        ("117 million weights", "가중치 1억 1,700만 개"),
        ("15 million and 3 thousand", "1,500만과 3천"),
        ("it has 40,000 words", "단어 4만 개입니다"),
    ],
)
def test_large_numbers_are_counted_in_the_units_of_each_language(english, message):
    assert not korean.shared(english, message)


def test_small_numbers_may_change_from_words_to_digits():
    assert not korean.shared("It takes half a minute.", "30초 안팎입니다.")
    assert "new" in found(korean.shared, "It takes long.", "30초 안팎입니다.")


@pytest.mark.parametrize(
    "message, printed",
    [
        ("**정보 병목(information bottleneck)**은 좁습니다.", True),
        ("**정보 병목**(information bottleneck)은 좁습니다.", False),
        ("**97%**를 맞힙니다.", True),
        ("**97**%를 맞힙니다.", False),
        ("“**거의**”라고 합니다. `a ** b`", False),
    ],
)
def test_bold_that_markdown_would_print(message, printed):
    assert ("asterisks" in found(korean.marks, message)) == printed


def test_a_range_takes_an_en_dash():
    assert "tilde" in found(korean.marks, "4~6단어와 10~12단어")
    assert not korean.marks("4–6단어와 10–12단어")


@pytest.mark.parametrize(
    "message, fault",
    [
        ("벡터는 좁다.", "해라체"),
        ("벡터는 좁아요.", "해요체"),
        ("값을 적으십시오.", "-세요"),
        ("값은(는) 큽니다.", "two forms"),
        ("값을 적어 두세요. 얼마일까요? 재 봅시다. 큽니다.", ""),
        ("동료가 “벡터는 좁다.”라고 말합니다.", ""),
    ],
)
def test_one_register(message, fault):
    assert fault in found(korean.register, message)
    assert bool(korean.register(message)) == bool(fault)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("LSTM은", "LSTM는"),
        ("GRU는", "GRU은"),
        ("95%를", "95%을"),
        ("0.5는", "0.5은"),
        ("10은", "10는"),
        ("$D = 128$은", "$D = 128$는"),
        ("7로", "7으로"),
        ("3으로", "3로"),
        ("RNN으로", "RNN로"),
        ("BERT(버트)는", "BERT(버트)은"),
    ],
)
def test_particles_follow_the_sound(right, wrong):
    assert not korean.particles(f"{right} 씁니다.")
    assert korean.particles(f"{wrong} 씁니다.")


def test_terms():
    english = "A linear probe reads it."
    assert "선형 탐침" in found(korean.wording, english, "선형 프로브가 읽습니다.")
    assert not korean.wording(english, "선형 탐침이 읽습니다.")
    assert "말뭉치" in found(korean.wording, "a corpus", "코퍼스")
    # A title stays as it is.
    cited = "See Cho, *On machine translation*."
    assert not korean.wording(cited, "Cho, *On machine translation*를 보세요.")
    # A term inside a longer one is not asked for by itself.
    assert not korean.wording("masked self-attention", "마스크 셀프 어텐션")


def test_what_is_still_english():
    assert korean.untranslated("The vector is narrow here.", "The vector is narrow here indeed.")
    assert not korean.untranslated("$h$", "$h$")
    quoted = "[Cho et al., on the properties of translation](https://x.org)을 보세요."
    assert not korean.untranslated("See it.", quoted)
