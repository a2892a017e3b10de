"""Find a Chromium that can drive the built pages, and with --install get one where
there is none.

    python scripts/find_chromium.py [--install]

Looked for, in this order: $CHROMIUM, the names below in PATH, the applications of
macOS, Playwright's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
REMEDY = """No Chromium was found, and without one the built pages cannot be checked. Do one of these:
  Debian, Ubuntu   apt-get install chromium
  macOS            install Google Chrome or Chromium into /Applications
  anywhere         .venv/bin/playwright install chromium
  or name one      CHROMIUM=/path/to/chromium make test"""


def candidates() -> Iterator[str]:
    """Paths where a Chromium may be, the preferred ones first."""
    yield from filter(None, map(shutil.which, NAMES))
    yield from APPLICATIONS
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  slow, and seldom needed

    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


def find() -> str | None:
    """The path of a Chromium, or None; raises FileNotFoundError when $CHROMIUM names
    none.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(
                f"CHROMIUM is {named!r}, which is no program. Correct it or leave it "
                "unset."
            )
        return found
    return next((path for path in candidates() if Path(path).is_file()), None)


def install() -> None:
    """Install a Chromium: Debian's package as root, otherwise Playwright's build."""
    attempts = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts.insert(
            0,
            [
                ["apt-get", "update", "-qq"],
                ["apt-get", "install", "-y", "-qq", "chromium"],
            ],
        )
    for commands in attempts:
        print("No Chromium here:", " && ".join(map(" ".join, commands)), flush=True)
        if (
            all(
                subprocess.run(command, check=False).returncode == 0
                for command in commands
            )
            and find()
        ):
            return


def main() -> int:
    """Print the path of a Chromium; 1 with a remedy if there is none."""
    parser = argparse.ArgumentParser(
        description="Find a Chromium for the checks of the built pages."
    )
    parser.add_argument(
        "--install", action="store_true", help="get one where there is none"
    )
    try:
        if parser.parse_args().install and find() is None:
            install()
        found = find()
    except FileNotFoundError as error:
        found, message = None, str(error)
    else:
        message = REMEDY
    print(found or message, file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
