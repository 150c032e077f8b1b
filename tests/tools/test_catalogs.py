"""The Korean of what code says, and the senses that a word has on one page alone."""

from course_lib.figures.language import messages
from tools import catalogs
from tools.project import notebooks


def test_a_word_has_the_sense_of_its_page():
    page = "08_transfer_in_vision_deeper"
    assert messages("ko", page)["source"] != messages("ko")["source"]


def test_senses_belong_to_notebooks_and_to_words_that_are_said():
    pages = {path.stem for path in notebooks()}
    known = messages("ko")
    for message in catalogs.read(catalogs.SENSES):
        if message.id:
            assert message.context in pages, message.id
            assert known[message.id] != message.string, message.id
