"""The translators in Chromium: torch's numbers in time, no network, and files that do not come."""

import base64
from functools import cache

import numpy as np
import pytest
import torch

from course_lib.decoding.translation import Translator
from course_lib.studies.ch07 import page_translators
from course_lib.studies.engine.translators import LENGTHS, held_out
from tools import live
from tools.pages import SHARED
from tools.project import HTML

pytestmark = pytest.mark.browser

PARTS = (*SHARED, "tensors", "weights", "translators")
LANGUAGES, MODELS = page_translators.LANGUAGES, tuple(page_translators.MODELS)
SENTENCES = 200
MEGABYTE = 1e6
EMPTY = """<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'">"""

# All steps of sentences with the reference given: the logits as base64 of 32-bit floats, the
# attention weights, and the milliseconds of each step, the reading of the source being one.
FORCED = """([name, pairs]) => {
    const model = models[name], logits = [], weights = [], times = [];
    const timed = (work) => {
        const start = performance.now(), made = work();
        times.push(performance.now() - start);
        return made;
    };
    for (const [source, target] of pairs) {
        let state = timed(() => model.start(source));
        const rows = [];
        for (const token of target) {
            const made = timed(() => model.step(state, token));
            logits.push(...made.logits);
            rows.push(made.weights && [...made.weights]);
            state = made.state;
        }
        weights.push(rows);
    }
    const bytes = new Uint8Array(Float32Array.from(logits).buffer);
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return { logits: btoa(text), weights, times };
}"""
TRIED = """(name, patience) => AM.fetchWeights(name, patience).then(
    (file) => 'came: ' + file.name, (error) => error.message)"""


@pytest.fixture
def stage(chromium, site):
    """A page of the site with the scripts of the translators, and nothing from elsewhere."""
    page = chromium.new_page()
    asked = []

    def guard(route):
        if route.request.url.startswith(site):
            route.fallback()
        else:
            asked.append(route.request.url)
            route.abort()

    page.route("**/*", guard)
    page.route(
        f"{site}empty.html", lambda route: route.fulfill(body=EMPTY, content_type="text/html")
    )
    page.goto(f"{site}empty.html")
    page.add_script_tag(url=f"{site}_static/say.js")
    for part in PARTS:
        page.add_script_tag(url=f"{site}_static/live/{part}.js")
    yield page
    page.close()
    assert asked == []


@cache
def sentences(language: str) -> list:
    return held_out(SENTENCES, LENGTHS, language)


@cache
def translator(model: str, language: str) -> Translator:
    return page_translators.load_translator(model, language)


@torch.no_grad()
def logits_and_weights(model: str, language: str) -> tuple[np.ndarray, list]:
    """Torch's logits of all real steps (N, V), and for each sentence the weights (T, S)."""
    pairs, found = sentences(language), translator(model, language)
    batch = found.batch(pairs)
    source, target = batch.source, batch.target[:, :-1]
    if model == "fixed":
        logits, weights = found.model(source, target), None
    else:
        logits, weights = found.model.with_weights(source, target)
    if model == "transformer":
        weights = weights.source[-1].mean(1)  # (B, H, T, S) -> (B, T, S)
    sizes = [(len(one), len(other) + 1) for one, other in found.encode(pairs)]
    rows = [logits[b, :t] for b, (_, t) in enumerate(sizes)]
    looked = [weights[b, :t, :s] for b, (s, t) in enumerate(sizes)] if weights is not None else None
    return torch.cat(rows).numpy(), looked


@pytest.mark.parametrize("language", LANGUAGES)
def test_logits_weights_and_translations_are_torchs_and_come_in_time(stage, language):
    pairs = sentences(language)
    stage.evaluate(
        f"AM.fetchWeights('lab_{language}').then((file) => {{ models = AM.translators(file); }})"
    )
    for model in MODELS:
        found = translator(model, language)
        given = [[one, [1, *other]] for one, other in found.encode(pairs)]
        made = stage.evaluate(FORCED, [model, given])
        wanted, looked = logits_and_weights(model, language)
        logits = np.frombuffer(base64.b64decode(made["logits"]), "<f4").reshape(wanted.shape)
        assert np.abs(logits - wanted).max() < 1e-4, model
        for rows, weights in zip(made["weights"], looked or [], strict=looked is not None):
            torch.testing.assert_close(torch.tensor(rows), weights, atol=1e-4, rtol=0)
        if looked is None:
            assert all(row is None for rows in made["weights"] for row in rows)
        slow = float(np.quantile(made["times"], 0.999))
        assert slow < 100, f"{model}: a step of a thousand takes {slow:.0f} ms or more"

        few = [pair.source for pair in pairs[:20]]
        written = stage.evaluate(
            "([name, all]) => all.map((words) => models[name].translate(words))", [model, few]
        )
        each = [
            found.translate([words])[0] for words in few
        ]  # together, the longest sets the limit
        assert [one["words"] for one in written] == each, model
        assert all(len(one["weights"]) == len(one["words"]) for one in written)
        limits = [2 * len(words) + 10 for words in few]
        for one, limit in zip(written, limits, strict=True):
            assert one["ended"] or len(one["words"]) == limit


def test_a_state_stays_valid_and_an_unknown_word_is_told(stage):
    found = stage.evaluate(
        """async () => {
            models = AM.translators(await AM.fetchWeights('lab_french'));
            const same = {};
            for (const name of ['fixed', 'attention', 'transformer']) {
                const state = models[name].start(models.source.ids(['the', 'cat', 'sleeps']));
                const before = models[name].step(state, 1).logits;
                models[name].step(models[name].step(state, 5).state, 9);
                same[name] = models[name].step(state, 1).logits.every((x, i) => x === before[i]);
            }
            let said = '';
            try {
                models.fixed.translate(['the', 'zebra']);
            } catch (error) { said = error.message; }
            return { same, said, has: ['cat', 'zebra', '<pad>'].map(models.source.has) };
        }"""
    )
    assert found["same"] == dict.fromkeys(MODELS, True)
    assert "zebra" in found["said"]
    assert found["has"] == [True, False, False]


def test_a_file_that_is_missing_or_damaged_or_late_says_so_and_can_be_tried_again(stage):
    whole = (HTML / "_static" / "live" / "lab_korean.js").read_text("utf8")
    damaged = whole[:200_000] + ("A" if whole[200_000] != "A" else "B") + whole[200_001:]
    short = whole[:300_000] + '");'  # complete as a script, with a part of the bytes
    answers = [
        (dict(status=404, body="no"), "did not arrive"),
        (dict(body=whole[:300_000]), "incomplete or damaged"),
        (dict(body=short), "incomplete or damaged"),
        (dict(body=damaged), "incomplete or damaged"),
        (dict(body=""), "incomplete or damaged"),
        (None, "has not arrived after"),
    ]
    address, now, held = "**/lab_korean.js*", [], []
    stage.route(address, lambda route: route.fulfill(**now[0]) if now[0] else held.append(route))
    for answer, said in answers:
        now[:] = [answer]
        message = stage.evaluate(f"({TRIED})('lab_korean', {20 if answer else 0.2})")
        assert said in message, answer
        assert "lab_korean.js" in message
    for route in held:
        route.abort()
    stage.unroute(address)
    assert stage.evaluate(f"({TRIED})('lab_korean', 20)") == "came: lab_korean"
    assert stage.locator("script[src*=lab_korean]").count() == 0


def test_from_a_folder_without_a_server(chromium, tmp_path):
    static = HTML / "_static"
    scripts = [static / "say.js", *(static / "live" / f"{part}.js" for part in PARTS)]
    tags = "".join(f'<script src="{script.as_uri()}"></script>' for script in scripts)
    (tmp_path / "page.html").write_text(EMPTY + tags, "utf8")
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate(f"({TRIED})('lab_french', 20)") == "came: lab_french"
    assert "did not arrive" in page.evaluate(f"({TRIED})('lab_latin', 20)")
    page.close()


def test_8_bits_are_read_with_the_scale_of_their_row(stage):
    scales, whole = np.array([0.5, 3], "<f4"), np.array([[1, -2, 127], [-128, 0, 4]], "i1")
    tensors = {"first": whole[0].astype("<f2"), "rows": (whole, scales)}
    stage.evaluate(live.weights_script("rows", tensors))
    found = stage.evaluate("AM.fetchWeights('rows').then((file) => [...file.tensors.rows.values])")
    assert found == (scales[:, None] * whole).flatten().tolist()


def test_every_pattern_of_16_bits_is_read(stage):
    every = np.arange(65536, dtype="<u2").view("<f2")
    every = every[np.isfinite(every)]
    stage.evaluate(live.weights_script("every", {"every": every}))
    found = stage.evaluate("AM.fetchWeights('every').then((file) => [...file.tensors.every])")
    assert np.array_equal(np.array(found, "f4"), every.astype("f4"))


def test_the_files_are_small():
    files = [HTML / "_static" / "live" / f"lab_{language}.js" for language in LANGUAGES]
    assert sum(file.stat().st_size for file in files) < 6 * MEGABYTE
