"""Renew constraints.txt: resolve requirements.txt in a throw-away environment and write the result.

Run as `make lock`. Local versions (`2.13.0+cpu`) are dropped, so that the lock also resolves on
other package indexes and on macOS.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [str(Path(folder) / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "-q", "-r", str(ROOT / "requirements.txt")], check=True)
        frozen = subprocess.run(
            [*pip, "freeze", "--all", "--exclude", "pip"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    lines = [line.split("+")[0] for line in frozen.splitlines() if "==" in line]
    (ROOT / "constraints.txt").write_text("\n".join(sorted(lines, key=str.lower)) + "\n", "utf8")
    print(f"constraints.txt: {len(lines)} packages, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
