"""Do the addresses outside the book still answer? `python -m tools.outside_links` (weekly job).

Sphinx's own builder `linkcheck` asks each address once; notebooks are not executed. A site that
refuses robots (403, 429) or is slow is listed and does not count as broken.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import yaml

from tools.project import BUILD, ROOT, config

FOLDER = BUILD / "outside"
SETTINGS = {
    "linkcheck_anchors": False,  # many sites make them by script
    "linkcheck_timeout": 20,
    "linkcheck_retries": 2,
    "linkcheck_workers": 8,
    "linkcheck_report_timeouts_as_broken": False,
}
HOSTS = ("arxiv.org", "doi.org", "aclanthology.org")
REFUSED = ("403", "429", "418", "Forbidden", "Too Many Requests")


def broken(lines: list[str]) -> list[str]:
    """One line for each address that does not answer, from the builder's lines of JSON."""
    found = [json.loads(line) for line in lines]
    return [
        f"{one['filename']}: {one['uri']} ({one['info']})"
        for one in found
        if one["status"] == "broken" and not any(mark in one["info"] for mark in REFUSED)
    ]


def reachable() -> bool:
    """Whether this machine can look up any of the hosts that the book names most."""
    for host in HOSTS:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            continue
        return True
    return False


def main() -> int:
    if not reachable():
        print(
            f"None of {', '.join(HOSTS)} can be looked up: this machine has no network, or a "
            f"filtered one. Nothing was checked; the weekly job on GitHub does it.",
            file=sys.stderr,
        )
        return 1
    settings = config()
    settings["execute"]["execute_notebooks"] = "off"
    # The book's own address and repository are not outside.
    own = [settings["html"]["baseurl"], settings["repository"]["url"]]
    settings["sphinx"]["config"] |= SETTINGS | {"linkcheck_ignore": [f"^{one}" for one in own]}
    shutil.rmtree(FOLDER, ignore_errors=True)  # nothing of an earlier run is read below
    FOLDER.mkdir(parents=True)
    (FOLDER / "_config.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf8")
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", ".", "--all", "--builder", "linkcheck", "--path-output"]
    subprocess.run(
        [*command, str(FOLDER), "--config", str(FOLDER / "_config.yml")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,  # it fails at the first broken address; what counts is read below
    )
    said = next(FOLDER.rglob("output.json"), None)
    if said is None:
        sys.exit("the pages could not be read; what went wrong stands above")
    lines = said.read_text("utf8").splitlines()
    problems = broken(lines)
    print("\n".join(problems) or f"{len(lines)} addresses answer")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
