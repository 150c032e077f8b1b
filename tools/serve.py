"""Serve the built book on this machine and open it: python -m tools.serve [PORT]."""

import functools
import http.server
import sys
import webbrowser

from tools.project import HTML


def main() -> None:
    if not (HTML / "index.html").is_file():
        sys.exit("there is no built book yet; run `make book` first")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=HTML)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        sys.exit(f"port {port} cannot be used ({error.strerror}); try `make serve PORT={port + 1}`")
    address = f"http://127.0.0.1:{port}/"
    print(f"{address} (Ctrl-C stops it)", flush=True)
    webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
