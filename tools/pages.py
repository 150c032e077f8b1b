"""Sphinx extension: what the pages show beyond their text.

- The role `measured` puts a number into a page that is computed when the page is built: counts of
  the claims ledger, minutes to read, minutes to run.
- The directive `story-figure` draws the landing page's figure from the records; below it
  `translator-figure` lets the reader try the translators; `colab-button` links to a notebook in
  Colab.
- Each page gets its description and its preview for shared links, and only the scripts it needs:
  MathJax where there is mathematics, `book/_static/live` where a figure computes, `guess.js` where
  the reader is asked to predict.
- Beside the pages: a sitemap, the page for an address that does not exist, the preview's picture,
  the icons in use as a font of their own, and the weights of the live models (`tools.live`). Last,
  every page gets its policy (`tools.policy`).
"""

import html
import json
import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from tools import korean_font, live, policy, script_messages
from tools.project import (
    ROOT,
    config,
    deeper_of,
    exercises_of,
    is_lesson,
    notebooks,
    toc_files,
)

DESCRIPTION = (
    "From recurrent networks to attention and transfer learning: a course in which every claim is "
    "measured again, in notebooks that run on one processor."
)
# The pace the chapters are written for: 3,000 words, with their figures and code, in 45 minutes.
WORDS_A_MINUTE = 3000 / 45
LENGTHS = ("4-6", "7-9", "10-12", "13-15", "16-18", "19-21", "22-24", "25-27", "28-30")
TRAINED = {"reading": "forward", "steps": 2000}
STORY = {
    "fixed vector": ("bottleneck", {**TRAINED, "width": 128}, "fixed"),
    "attention": (
        "attention_lab",
        {"reading": "both", "steps": 2000, "score": "additive", "language": "french"},
        "attention",
    ),
}


# Numbers


def words(text: str) -> int:
    """Words of prose: no code blocks, no markup."""
    text = re.sub(r"(?s)^```.*?^```", " ", text, flags=re.MULTILINE)
    return len(re.findall(r"[^\W\d_][\w'’-]*", re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)))


def minutes_to_read(path: Path) -> float:
    """Of a page of text or a notebook, at the pace the chapters are written for."""
    text = path.read_text("utf8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return words(text) / WORDS_A_MINUTE


def minutes_of_exercises(path: Path) -> int:
    """As their notebook says it."""
    first = "".join(json.loads(path.read_text("utf8"))["cells"][0]["source"])
    return int(re.search(r"about (\d+) minutes", first)[1])


def measured() -> dict[str, str]:
    """Everything that the role `measured` can say, by name."""
    from course_lib import claims

    ledger = claims.load()
    tested = [claim for claim in ledger if claim.kind == "tested"]
    found = Counter(claim.verdict for claim in tested)
    lessons = [path for path in notebooks() if is_lesson(path)]
    minutes = {path.stem: minutes_to_read(path) for path in lessons}
    deeper = [minutes_to_read(page) for page in map(deeper_of, lessons) if page.is_file()]
    taken = json.loads((ROOT / "tools" / "bench" / "notebooks.json").read_text("utf8"))
    seconds = sum(one["seconds"] for one in taken["notebooks"].values())
    values = {
        "claims": len(ledger),
        "tested": len(tested),
        "untested": len(ledger) - len(tested),
        "reproduced": found["reproduced"],
        "direction": found["direction only"],
        "rest": len(tested) - found["reproduced"] - found["direction only"],
        "hours": round(sum(minutes.values()) / 60),
        "deeper": round(sum(deeper) / 60),
        "practice": round(sum(minutes_of_exercises(exercises_of(path)) for path in lessons) / 60),
        "run": math.ceil(seconds / 60),
    }
    values |= {f"minutes-{name}": 5 * math.ceil(value / 5) for name, value in minutes.items()}
    values |= {
        f"practice-{path.stem}": minutes_of_exercises(exercises_of(path)) for path in lessons
    }
    return {name: str(value) for name, value in values.items()}


def measured_role(name, rawtext, text, lineno, inliner, options=None, content=None):  # noqa: PLR0913
    """`{measured}`reproduced``: the number of that name."""
    numbers = inliner.document.settings.env.app.measured
    if text not in numbers:
        names = ", ".join(sorted(numbers))
        problem = inliner.reporter.error(f"no number is called {text!r}: {names}", line=lineno)
        return [inliner.problematic(rawtext, rawtext, problem)], [problem]
    return [nodes.Text(numbers[text])], []


# The story


@cache
def lengthwise() -> dict[str, list]:
    """Exact match by length of the source, with its interval over seeds, by model."""
    from course_lib.studies import load

    return {
        name: [load(study).interval(f"exact_match.{length}", **chosen) for length in LENGTHS]
        for name, (study, chosen, _) in STORY.items()
    }


def draw_story(axes, upto: int) -> None:
    """The two curves as far as the length number `upto`."""
    from course_lib.figures import plots

    places = [sum(map(int, length.split("-"))) / 2 for length in LENGTHS]
    for name, intervals in lengthwise().items():
        color = plots.COLORS[STORY[name][2]]
        plots.band(axes, places[:upto], intervals[:upto], name, color)
        x, y = places[upto - 1], intervals[upto - 1].mean
        axes.annotate(
            f"{y:.0%}", (x, y), (0, 8), textcoords="offset points", ha="center", color=color
        )
    axes.set(xlim=(3.5, 31), ylim=(-0.03, 1.14), xlabel="words in the sentence")
    axes.set(ylabel="translated without a mistake", yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.62))


def story_figure(caption: str, label: str) -> str:
    """The figure of the landing page, one state for each length; the last is on show at first."""
    from course_lib.figures import plots, widgets

    plots.style()
    curves, frames = lengthwise(), []
    for number, length in enumerate(LENGTHS, 1):
        figure, axes = plots.plt.subplots(figsize=(5.2, 3.3))
        draw_story(axes, number)
        said = ", ".join(f"{name} {line[number - 1].mean:.0%}" for name, line in curves.items())
        name = length.replace("-", " to ")
        frames.append((name, figure, f"Exact match by sentence length, at {name} words: {said}."))
    return widgets.slider_markup(frames, label=label, caption=caption, start=-1)[0]


class StoryFigure(Directive):
    """Its content is the caption, its argument the name of the slider."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        markup = story_figure(" ".join(self.content), self.arguments[0])
        return [nodes.raw("", markup, format="html")]


class TranslatorFigure(Directive):
    """The live translators in their small form; its content is the caption."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        from course_lib.figures import plots
        from course_lib.studies.ch07 import page_figure

        plots.style()
        markup = page_figure.small_markup(" ".join(self.content))
        return [nodes.raw("", markup, format="html")]


class ColabButton(Directive):
    """Its argument is the notebook, its content what the button says."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        settings = config()
        repository, colab = settings["repository"], settings["launch_buttons"]["colab_url"]
        path = repository["url"].removeprefix("https://github.com")
        notebook = self.arguments[0]
        if self.state.document.settings.env.config.language == "ko":
            notebook = notebook.replace("notebooks/", "notebooks/ko/")
        place = f"{colab}/github{path}/blob/{repository['branch']}/{notebook}.ipynb"
        text = html.escape(" ".join(self.content))
        button = f'<a class="sd-btn sd-btn-outline-primary" href="{place}">{text}</a>'
        return [nodes.raw("", f"<p>{button}</p>", format="html")]


def preview(path: Path) -> None:
    """The picture beside a shared link, 1200 × 630 pixels."""
    from course_lib.figures import plots

    plots.style()
    with plots.mpl.rc_context({"font.size": 13, "axes.labelsize": 13}):
        figure = plots.plt.figure(figsize=(10, 5.25), dpi=120, facecolor="#ffffff", layout="none")
        draw_story(figure.add_axes((0.09, 0.13, 0.55, 0.66)), len(LENGTHS))
    figure.text(0.05, 0.87, "Attention, Measured", size=30, weight="bold")
    numbers = measured()
    lines = [f"{numbers['tested']} published claims,", "tried again:"]
    lines += [f"{numbers['reproduced']} reproduced", f"{numbers['direction']} in direction only"]
    lines += [f"{numbers['rest']} not at this scale"]
    for number, line in enumerate(lines):
        figure.text(0.69, 0.68 - 0.085 * number, line, size=17)
    figure.savefig(path, facecolor="#ffffff")
    plots.plt.close(figure)


# Each page


def description(app: Sphinx, pagename: str, doctree: nodes.document | None) -> str:
    """The beginning of a page's first real paragraph, at most 160 characters."""
    korean = app.config.language == "ko"
    if doctree is None or (pagename == app.config.root_doc and not korean):
        return app.config.html_title if korean else DESCRIPTION
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) >= 60 and not isinstance(paragraph.parent, nodes.block_quote):
            return text if len(text) <= 160 else text[:157].rsplit(" ", 1)[0] + " …"
    return app.config.html_title if korean else DESCRIPTION


MATH = re.compile(r'class="[^"]*\bmath\b|\\\(|\\\[')
LIVE = re.compile(r'data-live="([\w-]+)"')
# What every live figure stands on, and what some stand on besides: other scripts of
# book/_static/live, in this order.
SHARED = ("live", "controls", "chart")
PARTS: dict[str, tuple[str, ...]] = {
    "draws": ("intervals",),
    "verdict": ("intervals",),
    "translator": (
        *("lexicon", "grammar", "meaning", "parser", "wordbox"),
        *("tensors", "weights", "translators", "translation", "tally"),
    ),
    "writer": ("tensors", "weights", "bpe", "gpt", "sampling"),
}


def live_scripts(body: str) -> list[str]:
    """The scripts of book/_static/live that a page needs, each once, in the order of loading."""
    names = list(dict.fromkeys(LIVE.findall(body)))
    needed = [part for name in names for part in (*PARTS.get(name, ()), name)]
    return [f"live/{name}.js" for name in dict.fromkeys([*SHARED, *needed])] if names else []


# Boxes by the bold words that open them: course.css dresses them by these classes, and guess.js
# looks for those that ask for a prediction. A box that a cell shows comes in the page's language.
BOXES = {
    **{"Predict.": "predict", "Note.": "note", "What breaks.": "breaks"},
    **{"예측.": "predict", "참고.": "note", "증상.": "breaks"},
}
# What extensions load on every page, and the mark of a page that needs it.
NEEDED = {"design-tabs": "sd-tab-set", "mystnb": 'class="cell', "togglebutton": "toggle"}
PREDICT = re.compile(r'<blockquote class="[^"]*\bpredict\b')
# The tag of a cell that answers the question before it, and, with a name behind it, the question of
# that name; see guess.js.
ANSWER = re.compile(r"answer(-[a-z]+)?")


def frame_answers(app: Sphinx, docname: str, source: list[str]) -> None:
    """Markdown cells tagged `answer` get the classes that MyST-NB gives to code cells."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        tags = filter(ANSWER.fullmatch, cell["metadata"].get("tags", []))
        classes = " ".join(f"tag_{tag}" for tag in tags)
        if cell["cell_type"] == "markdown" and classes:
            text = "".join(cell["source"])
            cell["source"] = f"::::{{container}} {classes}\n{text}\n::::"
    source[0] = json.dumps(notebook)


def name_answers(app: Sphinx, doctree: nodes.document) -> None:
    """The directive `container` turns underscores into hyphens; MyST-NB does not."""
    for node in doctree.findall(nodes.container):
        names = node["classes"]
        node["classes"] = [re.sub("^tag-answer", "tag_answer", name) for name in names]


class MarkBoxes(SphinxTransform):
    """Give each box its class, before a translation takes the place of the words."""

    default_priority = 5  # the translation has 20

    def apply(self, **kwargs: object) -> None:
        for quote in self.document.findall(nodes.block_quote):
            bold = next(quote.findall(nodes.strong), None)
            kind = bold and BOXES.get(bold.astext().strip())
            if kind and quote.astext().startswith(bold.astext()):
                quote["classes"].append(kind)


def dress(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """The page's description and preview; MathJax only where there is mathematics."""
    title = re.sub(r"<[^>]+>", "", html.unescape(context.get("title") or ""))
    text = description(app, pagename, doctree)
    context["page_meta"] = [
        ("description", text),
        ("og:type", "website" if pagename == app.config.root_doc else "article"),
        ("og:site_name", app.config.html_title),
        ("og:title", title or app.config.html_title),
        ("og:description", text),
        ("twitter:card", "summary_large_image"),
    ]
    if base := app.config.html_baseurl:
        context["page_meta"] += [
            ("og:url", urljoin(base, f"{pagename}.html")),
            ("og:image", urljoin(config()["html"]["baseurl"], "_static/preview.png")),
        ]
    body = context.get("body") or ""
    for script in live_scripts(body):
        app.add_js_file(script)
        style = script.replace(".js", ".css")
        if script != "live/live.js" and (ROOT / "book" / "_static" / style).is_file():
            app.add_css_file(style)
    if PREDICT.search(body):
        app.add_css_file("guess.css")
        app.add_js_file("guess.js", priority=900)  # as the last
    context["page_has_code"] = "hide above-input" in body
    unused = [] if MATH.search(body) else ["mathjax"]
    unused += [name for name, mark in NEEDED.items() if mark not in body]
    for files in ("script_files", "css_files"):
        context[files] = [file for file in context[files] if not names(file, unused)]


def names(script: object, words: list[str]) -> bool:
    """Whether the name or the text of a script holds one of the words."""
    text = getattr(script, "attributes", {}).get("body", "")
    about = f"{getattr(script, 'filename', '')} {text}".lower()
    return any(word in about for word in words)


# Beside the pages


def sitemap(base: str) -> str:
    addresses = "".join(
        f"<url><loc>{html.escape(urljoin(base, f'{folder}{name}.html'))}</loc></url>\n"
        for folder in ("", "ko/")
        for name in toc_files()
    )
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{space}">\n{addresses}</urlset>'


def not_found(base: str, title: str) -> str:
    """A page that a server shows at any address, so it loads nothing and links in full."""
    start, search = urljoin(base, f"{toc_files()[0]}.html"), urljoin(base, "search.html")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>No such page · {html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><link rel="icon" href="data:,">
<style>
  :root {{ color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif;
    background: #fff; color: #222; }}
  a {{ color: #0b5394; }}
  @media (prefers-color-scheme: dark) {{
    :root {{ background: #121212; color: #eee; }}
    a {{ color: #9cc3ff; }}
  }}
  main {{ margin: 14vh auto; max-width: 34rem; padding: 0 1.2rem; }}
  input, button {{ font: inherit; padding: .3em .6em; }}
</style></head><body><main>
<h1>There is no such page</h1>
<p>It may have moved when a chapter was divided. <a href="{start}">The first page</a> has a map of
all chapters; or search the book:</p>
<form action="{search}"><label>Words <input type="search" name="q"></label>
<button>Search</button></form>
</main></body></html>
"""


def to_the_start(title: str, language: str) -> str:
    """The page at the address of the whole site; Jupyter Book would write one without a head."""
    start = f"{toc_files()[0]}.html"
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta http-equiv="refresh" content="0; url={start}"></head>
<body><p><a href="{start}">{html.escape(title)}</a></p></body></html>
"""


def icons(folder: Path) -> None:
    """The icons that the pages use as a small font, before the theme's whole ones.

    A browser fetches a font only for a character in its range, so an icon that is missed here
    costs the whole font, and is still shown.
    """
    from fontTools import subset
    from fontTools.ttLib import TTFont

    static = folder / "_static"
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    rules = (static / "styles" / "pydata-sphinx-theme.css").read_text("utf8")
    codes = {
        name: code
        for names, code in re.findall(r'([^{}]+)\{content:"\\([0-9a-f]{4})"\}', rules)
        for name in re.findall(r"\.(fa-[\w-]+):before", names)
    }
    used = {
        int(codes[name], 16)
        for page in folder.rglob("*.html")
        for name in set(re.findall(r"\bfa-[\w-]+", page.read_text("utf8")))
        if name in codes
    }
    faces = []
    for family, weight, file in (("Free", 900, "fa-solid-900"), ("Brands", 400, "fa-brands-400")):
        font = TTFont(fonts / f"{file}.ttf")
        kept = sorted(used & set(font.getBestCmap()))
        options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=kept)
        cutter.subset(font)
        subset.save_font(font, str(static / f"{file}-used.woff"), options)
        where = ",".join(f"U+{code:x}" for code in kept)
        faces.append(
            f'@font-face{{font-family:"Font Awesome 6 {family}";font-style:normal;'
            f"font-weight:{weight};font-display:block;src:url({file}-used.woff) format('woff');"
            f"unicode-range:{where}}}\n"
        )
    (static / "icons.css").write_text("".join(faces), "utf8")


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    folder, base = Path(app.outdir), app.config.html_baseurl
    (folder / "index.html").write_text(
        to_the_start(app.config.html_title, app.config.language), "utf8"
    )
    if app.config.language == "ko":
        (folder / "_static" / "texts.js").write_text(script_messages.script_texts(), "utf8")
    else:
        (folder / "404.html").write_text(not_found(base, app.config.html_title), "utf8")
        (folder / "sitemap.xml").write_text(sitemap(base), "utf8")
        (folder / "robots.txt").write_text(f"Sitemap: {urljoin(base, 'sitemap.xml')}\n", "utf8")
        preview(folder / "_static" / "preview.png")
    icons(folder)
    apart = "" if app.config.language == "ko" else korean_font.NAME
    if missing := korean_font.write(folder, apart):
        print(missing)
    live.write(folder / "_static" / "live")
    policy.guard(folder)


def setup(app: Sphinx) -> dict[str, bool]:
    app.measured = measured()
    app.add_role("measured", measured_role)
    app.add_directive("story-figure", StoryFigure)
    app.add_directive("translator-figure", TranslatorFigure)
    app.add_directive("colab-button", ColabButton)
    app.add_js_file("say.js", priority=100)  # before all scripts that say something with it
    if app.config.language == "ko":
        app.add_js_file("texts.js", priority=90)
    app.add_transform(MarkBoxes)
    app.connect("source-read", frame_answers)
    app.connect("doctree-read", name_answers)
    app.connect("html-page-context", dress, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
