"""What strangers rely on: pinned actions, jobs that exist, a release that fits its version."""

import importlib.util
import json
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tools import drift, outside_links, release, stamp
from tools.project import ROOT, config, files_below

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text("utf8")
JOBS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
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


def test_what_check_runs_is_locked_and_runs_before_a_commit_and_for_each_change():
    [recipe] = re.findall(r"^check: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    programs = set(re.findall(r"\$\(VENV\)/bin/(\S+)", recipe))
    assert programs == {"ruff", "mypy", "codespell"}
    asked = set(re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text("utf8"), re.MULTILINE))
    locked = set(re.findall(r"^[\w-]+", (ROOT / "constraints.txt").read_text("utf8"), re.MULTILINE))
    assert programs <= asked and {name.lower() for name in asked} <= {
        name.lower() for name in locked
    }
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf8"))["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make check"]
    assert "\nmake check\n" in (ROOT / ".ci" / "run").read_text("utf8")


def test_exceptions_from_the_types_are_of_modules_that_there_are():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["mypy"]
    for exception in settings["overrides"]:
        names = exception["module"]
        for name in [names] if isinstance(names, str) else names:
            assert importlib.util.find_spec(name.removesuffix(".*")), name


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


def test_without_a_network_no_address_is_called_broken(monkeypatch, capsys):
    def no_name(*_):
        raise OSError("no such host")

    monkeypatch.setattr(outside_links.socket, "getaddrinfo", no_name)
    assert outside_links.main() == 1
    assert "no network" in capsys.readouterr().err


def test_what_cannot_be_installed_is_named(monkeypatch):
    def fails(*_):
        raise subprocess.CalledProcessError(1, ["pip", "install", "torch==2.6.*"])

    monkeypatch.setattr(drift, "environment", fails)
    monkeypatch.setattr(drift.sys, "argv", ["drift", "oldest"])
    with pytest.raises(SystemExit, match=r"oldest: not installed.*torch==2\.6"):
        drift.main()


def test_an_installation_that_does_not_end_is_ended_and_says_where_it_was(monkeypatch, tmp_path):
    folder = tmp_path / "drift-newest"

    def hangs(command, timeout=None, **_):
        assert timeout == 60 * drift.MINUTES
        drift.log(folder).write_text("first\nlooking at multiple versions of numpy\n", "utf8")
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(drift, "BUILD", tmp_path)
    monkeypatch.setattr(drift, "ROOT", tmp_path)
    monkeypatch.setattr(drift.subprocess, "run", hangs)
    monkeypatch.setattr(drift.venv, "create", lambda path, with_pip: path.mkdir())
    monkeypatch.setattr(drift, "requirements", lambda: ["torch>=2.6"])
    monkeypatch.setattr(drift.sys, "argv", ["drift", "newest"])
    with pytest.raises(SystemExit, match=r"did not end within 30 minutes.*TORCH_INDEX") as error:
        drift.main()
    assert str(error.value).endswith(
        "drift-newest/pip.log):\nfirst\nlooking at multiple versions of numpy"
    )


def test_the_changelog_has_this_version_and_only_its_part_is_taken():
    text = (ROOT / "CHANGELOG.md").read_text("utf8")
    assert release.changes(text, release.version())
    with pytest.raises(SystemExit, match="no heading for 9.9.9"):
        release.changes(text, "9.9.9")


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert citation["version"] == release.version()
    assert citation["repository-code"] == config()["repository"]["url"]


def test_every_kind_of_file_of_the_library_goes_into_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["setuptools"]
    patterns = {*project["package-data"]["*"], "*.py"}
    assert {f"*{path.suffix}" for path in files_below(ROOT / "course_lib")} <= patterns


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
