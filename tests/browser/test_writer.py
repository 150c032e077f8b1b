"""Writing with our GPT in Chromium: Python's tokens, logits and sampling; a reader at the keyboard;
files that do not come.
"""

import base64
import random
import re
from functools import cache
from itertools import product

import nbformat
import numpy as np
import pytest
import torch

from course_lib.decoding import sampling
from course_lib.gpt.quantized import quantized
from course_lib.studies.ch10 import gpt_models
from course_lib.text.words import BOS, PAD
from tests.browser.accessible import violations
from tools.pages import PARTS, SHARED
from tools.project import HTML, notebooks

pytestmark = pytest.mark.browser

PAGE = "notebooks/10_gpt.html"
# A page of the site, with the policy of its pages for scripts.
EMPTY = (
    '<!doctype html><meta charset="utf-8"><title>empty</title>'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'self\'">'
)
# The last logits of each prompt, as base64 of 32-bit floats, and the milliseconds of its last step.
LOGITS = """(prompts) => {
    let text = '';
    const times = [];
    for (const prompt of prompts) {
        prompt.slice(0, -1).forEach((token, place) => model.read(token, place));
        const start = performance.now();
        const logits = model.logits(model.read(prompt[prompt.length - 1], prompt.length - 1));
        times.push(performance.now() - start);
        const bytes = new Uint8Array(Float32Array.from(logits).buffer);
        for (const byte of bytes) text += String.fromCharCode(byte);
    }
    return { logits: btoa(text), times };
}"""
WRITTEN = """(box) => {
    const copy = box.cloneNode(true);
    copy.querySelectorAll('rt').forEach((one) => one.remove());
    return copy.textContent;
}"""


@cache
def kept():
    model, tokens, _ = gpt_models.load_kept()
    return quantized(model), tokens


def lines() -> list[str]:
    """Lines of the lessons: prose, formulas, two alphabets."""
    cells = [cell for path in notebooks() for cell in nbformat.read(path, as_version=4).cells]
    return sorted({line for cell in cells for line in cell.source.split("\n") if line.strip()})


@pytest.fixture(scope="module")
def scripts(chromium, site):
    """A page of the site with the scripts that the figure stands on, and the model."""
    page = chromium.new_page()
    page.route("**/empty.html", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
    page.goto(f"{site}empty.html")
    page.add_script_tag(url=f"{site}_static/say.js")
    for part in (*SHARED, *PARTS["writer"], "writer"):
        page.add_script_tag(url=f"{site}_static/live/{part}.js")
    page.evaluate("""async () => {
        const file = await AM.fetchWeights('wikipedia_gpt');
        tokens = AM.bpe(file.alphabet, file.merges);
        model = AM.gpt(file.sizes, file.tensors);
    }""")
    yield page
    page.close()


def test_tokens_are_those_of_python(scripts):
    tokens = kept()[1]
    draw = random.Random(0)
    signs = [
        *tokens.alphabet,
        *" \t\n\u00a0\ufeff\u2028\x1c\x85",
        *"한글漢ſẞİ½³²Ⅷ_\u0301e\u0301🙂ﬁ",
        "▁ ",
    ]
    prose, made = (
        draw.sample(lines(), 2000),
        ["".join(draw.choices(signs, k=12)) for _ in range(1000)],
    )
    texts = ["", " ", *prose, *made, *(text.lower() for text in prose)]
    found = scripts.evaluate("(texts) => texts.map((one) => tokens.encode(one))", texts)
    wanted = [tokens.encode(text) for text in texts]
    assert [t for t, a, b in zip(texts, found, wanted, strict=True) if a != b] == []
    back = scripts.evaluate("(all) => all.map((one) => tokens.decode(one))", wanted)
    assert back == [tokens.decode(ids) for ids in wanted]
    assert scripts.evaluate("tokens.names") == list(tokens.vocabulary.tokens)
    assert scripts.evaluate("tokens.unknown('a ſ b 한ſ')") == ["ſ", "한"]


@torch.no_grad()
def test_logits_are_torchs_and_a_step_takes_less_than_100_ms(scripts):
    model, tokens = kept()
    prose = [text.lower() for text in lines() if re.match(r"[A-Z][a-z ]{30}", text)]
    chosen = random.Random(0).sample(prose, 100)
    prompts = [[BOS, *tokens.encode(text)][: 4 + 2 * i % 30] for i, text in enumerate(chosen)]
    prompts[0] = [BOS, *tokens.encode(" ".join(chosen))][: model.config.context]
    assert len(prompts[0]) == 128
    found = scripts.evaluate(LOGITS, prompts)
    wanted = np.stack([model(torch.tensor([row]))[0, -1].numpy() for row in prompts])
    logits = np.frombuffer(base64.b64decode(found["logits"]), "<f4").reshape(wanted.shape)
    assert np.abs(logits - wanted).max() < 1e-4
    assert np.median(found["times"]) < 100


def test_what_is_kept_and_its_probability_are_those_of_python(scripts):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 300, generator=generator)
    logits[1] = logits[1].round()  # many are equal
    allowed = logits.double().index_fill(1, torch.tensor([PAD, BOS]), -torch.inf)
    code = "([all, how]) => all.map((one) => [...AM.truncated(one, how).after])"
    for heat, top_k, top_p in product((0.1, 0.7, 1, 3), (None, 1, 3, 50), (0.3, 0.9, 1)):
        wanted = sampling.truncate((allowed / heat).softmax(1), top_k, top_p)
        how = {"temperature": heat, "topP": top_p, "never": [PAD, BOS]}
        how |= {"topK": top_k} if top_k else {}
        found = torch.tensor(scripts.evaluate(code, [logits.tolist(), how]), dtype=torch.double)
        assert torch.equal(found > 0, wanted > 0), how
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_draws_follow_the_probabilities_and_the_seed(scripts):
    given = [0, 0.2, 0, 0.5, 0.3, 0]
    code = """([seed, given]) => { const random = AM.random(seed);
        return Array.from({ length: 4000 }, () => AM.draw(given, random())); }"""
    first, again, other = (scripts.evaluate(code, [seed, given]) for seed in (1, 1, 2))
    assert first == again != other
    shares = np.bincount(first, minlength=6) / 4000
    assert np.abs(shares - given).max() < 0.03 and (shares[[0, 2, 5]] == 0).all()
    ends = scripts.evaluate("(g) => [0, 0.2, 0.9999999, 1].map((n) => AM.draw(g, n))", given)
    assert ends == [1, 3, 4, 4]


def test_the_window_leaves_half_of_itself_behind(scripts):
    code = "(lengths) => lengths.map((n) => AM.computes.writer.windowStart(n, 128))"
    assert scripts.evaluate(code, [1, 128, 129, 192, 193, 300]) == [0, 0, 64, 64, 128, 192]


# On the page


class Writer:
    """The figure on its page, and what the page complained about."""

    def __init__(self, context, address: str) -> None:
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(address)
        self.stage = self.page.locator('[data-live="writer"] > .am-stage')
        self.still = self.page.locator('[data-live="writer"] > .am-still')

    def press(self, name: str) -> None:
        self.stage.get_by_role("button", name=name, exact=True).click()

    def start(self) -> None:
        self.stage.get_by_role("button", name="Load the model").click()
        self.first.wait_for()

    def type(self, prompt: str) -> None:
        self.stage.get_by_label("Prompt").fill(prompt)
        self.stage.get_by_label("Prompt").press("Enter")

    def slide(self, label: str, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.stage.get_by_label(label).press(key)

    def result(self, pattern: str) -> None:
        """Wait until the line of the result says so."""
        self.stage.locator(".am-result").filter(has_text=re.compile(pattern)).wait_for()

    @property
    def first(self):
        return self.stage.locator(".am-next button").first

    @property
    def written(self) -> str:
        """The text so far, without the probabilities below it."""
        return " ".join(self.stage.locator(".am-writing").evaluate(WRITTEN).split())


@pytest.fixture
def writer(chromium, site):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    found = Writer(context, site + PAGE)
    yield found
    context.close()
    assert found.problems == []


@torch.no_grad()
def test_a_reader_chooses_draws_undoes_and_starts_again(writer, axe):
    model, tokens = kept()
    assert writer.still.is_visible() and "5 MB" in writer.stage.inner_text()
    writer.start()
    assert not writer.still.is_visible()

    # Bars: those of Python, and what is cut is told without color.
    logits = model(torch.tensor([[BOS, *tokens.encode("he was born in the united")]]))[:, -1]
    logits[:, [PAD, BOS]] = -torch.inf
    probs = sampling.truncate(logits.softmax(1), top_p=0.9)[0]
    left = int((probs > 0).sum())
    writer.result(rf"^{left} of 6,105 tokens are left")
    bars = writer.stage.locator(".am-next button")
    assert bars.count() == 12 and left < 12
    best = tokens.vocabulary.id_to_token(int(probs.argmax()))
    assert writer.first.inner_text().split()[:2] == [best, f"{probs.max():.2f}"]
    assert bars.nth(left - 1).locator(".value").inner_text() != "cut"
    assert bars.nth(left).locator(".value").inner_text() == "cut"
    assert "line-through" in bars.nth(left).locator(".token").evaluate(
        "(e) => getComputedStyle(e).textDecorationLine"
    )

    writer.slide("Top-p", "End")
    writer.result("^6,103 of")
    writer.slide("Top-k", "Home", 1)
    writer.result("^One of 6,105 tokens is left")
    writer.slide("Top-k", "End")
    writer.slide("Temperature", "Home")
    assert float(writer.first.locator(".value").inner_text()) > 0.9
    writer.slide("Temperature", "End")
    assert writer.first.locator(".value").inner_text() in ("< 0.001", "0.001")

    # Choosing, undoing.
    writer.slide("Top-k", "Home")
    writer.first.click()
    writer.result("^You chose “states▁”, which had 1.00")
    assert writer.written == "he was born in the united states"
    writer.stage.locator(".am-next button.is-cut").first.click()
    writer.result("which had been cut")
    writer.press("Undo")
    writer.press("Undo")
    assert writer.stage.get_by_role("button", name="Undo").is_disabled()
    assert writer.written == "he was born in the united"

    # The same seed writes the same, after a start and after the page has other settings in between.
    writer.slide("Top-k", "End")
    writer.stage.get_by_label("Temperature").fill("9")
    writer.stage.get_by_label("Seed").fill("7")
    texts = []
    for _ in range(2):
        writer.press("Start again")
        writer.press("Write on")
        writer.result("^40 tokens were drawn|come to its end")
        texts.append(writer.written)
    assert texts[0] == texts[1] != "he was born in the united"
    count = writer.stage.locator(".am-writing rt").count()
    writer.press("Draw one")
    writer.result("was drawn, which had|come to its end")
    assert writer.stage.locator(".am-writing rt").count() >= count

    found = violations(writer.page, axe, "[data-live=writer]")
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []

    writer.page.emulate_media(media="print")
    assert writer.still.is_visible() and not writer.stage.is_visible()


def test_prompts_that_are_empty_unknown_or_too_long(writer):
    writer.start()
    writer.type("")
    writer.stage.get_by_text("begins an article of its own").wait_for()
    writer.type("the ſ of 한국")
    writer.stage.get_by_text("never seen “ſ”, “한”, “국”").wait_for()
    assert "unknown" in writer.written
    writer.type("the city was founded in " * 60)
    said = writer.stage.get_by_text("reads at most 128 tokens")
    said.wait_for()
    reads = int(re.search(r"the last (\d+);", said.inner_text())[1])
    shown = writer.stage.locator(".am-writing .token").count()
    assert writer.stage.locator(".am-writing .forgotten").count() == shown - reads
    assert 64 < reads <= 128
    writer.press("Draw one")
    writer.result("was drawn")
    writer.type("the city")
    writer.result("^[0-9,]+ of")
    assert said.count() == 0


def test_writing_can_be_stopped(writer):
    writer.start()
    writer.press("Write on")
    writer.stage.locator(".am-writing rt").nth(2).wait_for()
    writer.press("Stop")
    writer.result(r"^\d+ tokens were drawn")
    assert writer.stage.locator(".am-writing rt").count() < 40


def test_with_the_keyboard_alone_on_a_phone(chromium, site):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    writer = Writer(context, site + PAGE)
    keys = writer.page.keyboard
    writer.stage.get_by_role("button", name="Load the model").focus()
    keys.press("Enter")
    writer.first.wait_for()
    focused = "document.activeElement.textContent"
    assert writer.page.evaluate(focused) == "Draw one"
    keys.press("Enter")
    writer.result("was drawn")
    for _ in range(10):
        keys.press("Tab")
        if writer.first.evaluate("(e) => e === document.activeElement"):
            break
    keys.press("Space")
    writer.result("^You chose")
    assert writer.first.evaluate("(e) => e === document.activeElement")
    assert writer.stage.locator(".am-writing rt").count() == 2
    assert writer.page.evaluate("document.scrollingElement.scrollWidth") <= 390
    context.close()
    assert writer.problems == []


def test_a_file_that_is_missing_or_cut_short_is_told_and_tried_again(writer):
    answers = [404, 1_000_000]

    def answer(route):
        if not answers:
            return route.fallback()
        found = answers.pop(0)
        if found == 404:
            return route.fulfill(status=404)
        body = route.fetch().text()[:found] + '");'
        return route.fulfill(body=body, content_type="text/javascript")

    writer.page.route("**/wikipedia_gpt.js*", answer)
    writer.stage.get_by_role("button", name="Load the model").click()
    writer.result("did not arrive")
    assert writer.still.is_visible()
    writer.press("Try again")
    writer.result("incomplete or damaged")
    writer.press("Try again")
    writer.first.wait_for()


def test_from_a_folder_and_without_scripts(chromium):
    address = (HTML / PAGE).as_uri()
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    context.add_init_script("localStorage.setItem('answers', 'shown')")
    writer = Writer(context, address)
    writer.start()
    writer.press("Draw one")
    writer.result("was drawn")
    context.close()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator('[data-live="writer"] svg').first.is_visible()
    context.close()
