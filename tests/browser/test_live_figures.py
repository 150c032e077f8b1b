"""Live figures in Chromium: what they compute, and that a control changes what they say."""

import json
import re

import pytest
import torch

from course_lib.figures import plots
from tools.pages import PARTS, SHARED
from tools.project import ROOT, is_lesson, notebooks

pytestmark = pytest.mark.browser

LIVE = ROOT / "book" / "_static" / "live"
# Chapters whose lesson has its live figures.
FINISHED = ("00",)
LESSONS = [path.stem for path in notebooks() if is_lesson(path) and path.stem[:2] in FINISHED]

# Moves the control that is neither button nor text, the first one that does something.
MOVE = """(stage) => {
    const said = () => [...stage.querySelectorAll('.am-result, table')]
        .map((one) => one.textContent).join();
    const before = said();
    for (const one of stage.querySelectorAll('input:not([type=text]), select')) {
        if (one.type === 'checkbox') one.checked = !one.checked;
        else if (one.tagName === 'SELECT') one.selectedIndex = one.options.length - 1;
        else if (one.type === 'range') one.value = +one.value > +one.min ? one.min : one.max;
        else one.value = +one.value + 1;
        one.dispatchEvent(new Event('input', { bubbles: true }));
        if (said() !== before) return true;
    }
    return false;
}"""


@pytest.fixture(scope="module")
def scripts(chromium):
    """Call a function of a live figure's script, on an empty page."""
    page = chromium.new_page()
    page.set_content("<!doctype html><p>empty</p>")
    loaded = set()

    def call(name: str, function: str, *arguments: object) -> object:
        for part in (*SHARED, *PARTS.get(name, ()), name):
            if part not in loaded:
                page.add_script_tag(path=LIVE / f"{part}.js")
                loaded.add(part)
        code = f"(given) => AM.computes['{name}'].{function}(...given)"
        return page.evaluate(code, json.loads(json.dumps(arguments)))

    yield call
    page.close()


def near(found: object, wanted: object) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.double),
        torch.as_tensor(wanted, dtype=torch.double),
        rtol=1e-6,
        atol=1e-9,
    )


def test_colors_are_those_of_the_still_figures():
    text = re.search(r"AM.colors = \{(.*?)\};", (LIVE / "chart.js").read_text("utf8"), re.DOTALL)[1]
    for name, color in re.findall(r'(\w+): "(\S+)"', text):
        assert color == ("currentColor" if name == "ink" else plots.COLORS[name])


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_two_figures_whose_controls_change_what_they_say(chromium, site, name):
    page = chromium.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site}notebooks/{name}.html")
    stages = page.locator(".am-alive > .am-stage")
    assert stages.count() == page.locator(".am-live").count() >= 2
    for stage in stages.all():
        if stage.locator(".am-invite").count():  # made by controls.js
            assert stage.evaluate(MOVE), stage.inner_text()
            assert stage.locator(".am-invite").inner_text()
            assert not stage.locator("xpath=../*[contains(@class, 'am-still')]").is_visible()
    assert not problems
    page.emulate_media(media="print")
    for still in page.locator(".am-alive > .am-still").all():
        assert still.locator("svg").first.is_visible()
    page.close()


# Chapter 0


def test_softmax_and_loss_of_scores_at_a_temperature(scripts):
    for scores, temperature in (
        ([2.0, 1.2, 0.6, -1.0, -2.0], 1),
        ([99.0, -99.0, 0.0], 0.1),
        ([0.0, 0.0], 10),
    ):
        wanted = torch.tensor(scores, dtype=torch.double) / temperature
        near(scripts("temperature", "softmax", scores, temperature), wanted.softmax(-1))
        losses = [
            scripts("temperature", "loss", scores, temperature, i) for i in range(len(scores))
        ]
        near(losses, -wanted.log_softmax(-1))


@pytest.mark.parametrize(("rate", "steep"), [(0.1, 4), (0.52, 4), (0.3, 1)])
def test_gradient_descent_goes_where_torch_goes(scripts, rate, steep):
    point = torch.tensor([2.0, 1.0], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=rate)
    wanted = [point.tolist()]
    for _ in range(20):
        optimizer.zero_grad()
        (0.5 * (point[0] ** 2 + steep * point[1] ** 2)).backward()
        optimizer.step()
        wanted.append(point.tolist())
    near(scripts("descent", "path", rate, steep), wanted)
