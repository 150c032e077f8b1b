"""What strangers rely on: pinned actions, jobs that exist, a release that fits its version."""

import json
import re
import zipfile
from pathlib import Path

import pytest
import yaml

from tools import drift, outside_links, release, stamp
from tools.project import ROOT, config

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf8"), re.MULTILINE))
TEXTS = [*WORKFLOWS, *ROOT.glob("*.md"), *(ROOT / "book").glob("*.md"), ROOT / "Dockerfile"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_what_it_runs_and_may_do_little(path):
    text = path.read_text("utf8")
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"} and "concurrency" in content
    assert all("timeout-minutes" in job for job in content["jobs"].values())


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_job_that_is_named_exists(path):
    named = set(re.findall(r"(?:`|^|run: |&& |RUN )make ([a-z-]+)", path.read_text("utf8"), re.M))
    assert named <= JOBS


def test_lowest_versions_are_those_of_the_package():
    pins = drift.oldest(drift.requirements())
    assert "torch==2.6.*" in pins and all(pin.count("==") == 1 for pin in pins)
    assert len(pins) == sum(">=" in one for one in drift.requirements())


def test_refusals_and_working_addresses_are_not_broken_ones():
    one = {"filename": "book/index.md", "uri": "https://a.example/", "info": ""}
    lines = [
        {**one, "status": "working"},
        {**one, "status": "broken", "info": "403 Client Error: Forbidden for url"},
        {**one, "status": "broken", "info": "404 Client Error: Not Found"},
    ]
    found = outside_links.broken([json.dumps(line) for line in lines])
    assert found == ["book/index.md: https://a.example/ (404 Client Error: Not Found)"]


def test_the_changelog_has_this_version_and_only_its_part_is_taken():
    text = (ROOT / "CHANGELOG.md").read_text("utf8")
    assert release.changes(text, release.version())
    with pytest.raises(SystemExit, match="no heading for 9.9.9"):
        release.changes(text, "9.9.9")


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert citation["version"] == release.version()
    assert citation["repository-code"] == config()["repository"]["url"]


def test_what_a_wheel_carries_is_listed_by_kind(tmp_path):
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a/weights.safetensors", b"x" * 20_000)
        opened.writestr("a/__init__.py", b"")
    assert release.carried(path).splitlines()[2:] == [
        "| .safetensors | 1 | 0.02 |",
        "| .py | 1 | 0.00 |",
    ]


def test_issue_forms_ask_for_what_they_need():
    forms = [path for path in Path(ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")]
    asked = [yaml.safe_load(path.read_text("utf8")) for path in forms if path.stem != "config"]
    assert len(asked) == 4
    for form in asked:
        ids = [field["id"] for field in form["body"]]
        assert len(set(ids)) == len(ids) and form["name"] and form["description"]
        assert any(field.get("validations", {}).get("required") for field in form["body"])


@pytest.mark.parametrize("name", stamp.TEXTS)
def test_texts_name_the_address_of_the_settings_and_take_another(name):
    text = (ROOT / name).read_text("utf8")
    settings = config()
    here = settings["repository"]["url"], settings["html"]["baseurl"]
    assert stamp.stamp_text(text, *here) == text, "run `make stamp`"
    there = stamp.stamp_text(text, "https://git.example/me/course", "https://me.example/course/")
    assert here[0] not in there and here[1] not in there and "https://git.example/me" in there
    assert stamp.stamp_text(there, *here) == text
