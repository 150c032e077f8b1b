"""Write the drawings that have changed, and remove those that are drawn no longer."""

from tools.drawings import FOLDER, files

written = files()
for path in set(FOLDER.glob("*.svg")) - set(written):
    path.unlink()
    print(f"removed {path.name}")
for path, text in written.items():
    if not path.is_file() or path.read_text("utf8") != text:
        path.write_text(text, encoding="utf8")
        print(f"wrote {path.name}")
