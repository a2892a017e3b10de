"""At how many of many seeds each claim stands, kept for the ledger of the book.

    python scripts/store_sweep.py                    the forty seeds from 2,000,000 on
    python scripts/store_sweep.py --seeds 7000:7200  others
    python scripts/store_sweep.py PAGE or ID ...     some claims; the others stay as stored

Every claim runs at `quick`, in parts of twenty seeds. Results are kept in
ibcore-results/sweep as they finish; a sweep that was stopped goes on where it was, and so
does one after a change of code that some claims do not use. The repository keeps counts
in book/sweep.json: of seeds, of those at which the claim stood, and the seeds at which a
check missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from environment import ROOT, notebook_environment

from ibcore.provenance import versions
from ibcore.sweep import interval

STORED = ROOT / "book" / "sweep.json"
RESULTS = ROOT / "ibcore-results" / "sweep"
FIRST, LAST, PART = 2_000_000, 2_000_040, 20
STANDS = (0, 1)  # exit codes of a run that came to its end


def parts(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The seeds from `first` to below `last` in parts of twenty."""
    for start in range(first, last, PART):
        yield start, min(start + PART, last)


def run(names: Sequence[str], first: int, last: int, *options: str) -> str:
    """Run the claims at `quick`, or take their results from the store; what is printed.

    Raises `RuntimeError` where the run did not come to its end.
    """
    command = [sys.executable, "-m", "ibcore", "verify", *names, "--preset", "quick"]
    command += ["--seeds", f"{first}:{last}", "--device", "cpu", "--resume"]
    command += ["--out", str(RESULTS), *options]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=notebook_environment(building=False),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in STANDS:
        raise RuntimeError(f"ibcore verify ended with exit code {done.returncode}.")
    return done.stdout


def summaries(printed: str) -> list[dict[str, Any]]:
    """The summary lines among the lines of `ibcore verify --seeds --json`."""
    lines = map(json.loads, printed.splitlines())
    return [line for line in lines if "summary" in line]


def counts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the repository keeps of one claim."""
    rows = (*summary["checks"], {**summary["control"], "name": "control"})
    return {
        "seeds": summary["seeds"],
        "stands": summary["stands"],
        "interval": list(interval(summary["stands"], summary["seeds"])),
        "reaches": summary["reaches"],
        "missed": {row["name"]: row["missed"] for row in rows if row["missed"]},
        "errors": len(summary["errors"]),
    }


def merged(
    before: Mapping[str, Any], found: Iterable[Mapping[str, Any]], seeds: str
) -> dict[str, Any]:
    """What is stored, with the claims of `found` in place of what was stored of them."""
    about = {
        "seeds": seeds,
        "preset": "quick",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": versions(),
    }
    new = {summary["id"]: {**counts(summary), "run": about} for summary in found}
    return {"claims": dict(sorted({**before.get("claims", {}), **new}.items()))}


def main() -> int:
    """Sweep, store the counts, and name the claims that miss a stated share."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("claims", nargs="*", help="pages or ids; all if none is named")
    parser.add_argument("--seeds", default=f"{FIRST}:{LAST}", metavar="A:B")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    for start, end in parts(first, last):
        print(f"==> Seeds {start} to {end - 1}", flush=True)
        run(options.claims, start, end)
    found = summaries(run(options.claims, first, last, "--json"))
    before = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    kept = merged(before, found, options.seeds)
    STORED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    missing = [summary["id"] for summary in found if not summary["reaches"]]
    print(f"{len(found)} claims stored in {STORED}.")
    for name in missing:
        print(f"{name} misses a share that it states")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
