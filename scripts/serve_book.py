"""Show the built book on this machine only, at the port asked for or the next one that
is free.
"""

from __future__ import annotations

import argparse
import functools
import http.server

from environment import ROOT

HTML = ROOT / "_build" / "html"


def server(port: int, attempts: int = 50) -> http.server.ThreadingHTTPServer:
    """A server of the built pages on loopback; raises OSError when no port of the range
    is free.
    """
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(HTML)
    )
    for candidate in range(port, port + attempts):
        try:
            return http.server.ThreadingHTTPServer(("127.0.0.1", candidate), handler)
        except OSError:
            continue
    raise OSError(
        f"no port from {port} to {port + attempts - 1} is free; pass another one: make "
        "serve PORT=9000"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the built book on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8000)
    if not (HTML / "index.html").exists():
        parser.exit(1, "There is no book in _build/html. Build it first: make book\n")
    with server(parser.parse_args().port) as running:
        print(
            f"The book: http://127.0.0.1:{running.server_port}/  (Ctrl-C ends it)",
            flush=True,
        )
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
