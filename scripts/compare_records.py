"""What every claim measures, before and after a change of code that should change no number.

    python scripts/compare_records.py --store    run all claims and keep what they measure
    python scripts/compare_records.py            run all claims again and say what differs

All claims run at `quick` for three seeds and at `book` for one, some minutes on two cores. The numbers are kept
in tests/records.json. On the machine that stored them they should repeat to rounding (the default tolerance);
between machines use --relative 0.1. Numbers that are a precision are compared by whether they hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from compare_numbers import agree
from environment import ROOT, notebook_environment

KEPT = ROOT / "tests" / "records.json"
RUNS = (("quick", 0), ("quick", 1), ("quick", 2), ("book", 0))
ROUNDING = 1e-6

Numbers = Mapping[str, Any]


def measured(record: Mapping[str, Any]) -> Numbers:
    """The measurements of one record by the names of its checks; of a precision only whether it holds."""
    control = record["control"]
    rows = {check["name"]: check for check in record["checks"]}
    if "name" in control:
        rows[f"control: {control['name']}"] = {**control, "holds": control["refuted"]}
    return {
        name: row["holds"] if row.get("precision") else row["measured"]
        for name, row in rows.items()
    }


def run_all() -> dict[str, dict[str, Numbers]]:
    """The measurements of all claims, by preset and seed and then by claim."""
    found = {}
    for preset, seed in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "ibcore", "verify", "--json"]
            command += ["--preset", preset, "--seed", str(seed), "--device", "cpu"]
            run = subprocess.run(
                [*command, "--out", folder],
                cwd=ROOT,
                env=notebook_environment(building=False),
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        records = [json.loads(line) for line in run.stdout.splitlines()]
        found[f"{preset} {seed}"] = {one["id"]: measured(one) for one in records}
    return found


def differences(
    found: Mapping[str, Mapping[str, Numbers]],
    kept: Mapping[str, Mapping[str, Numbers]],
    relative: float,
) -> Iterator[str]:
    """In words, which measurements differ by more than the share `relative`, appeared or vanished."""
    for run in kept.keys() | found.keys():
        now, before = flat(found.get(run, {})), flat(kept.get(run, {}))
        for name in sorted(now.keys() | before.keys()):
            one, other = now.get(name), before.get(name)
            same = (
                one == other if isinstance(one, bool) else agree(one, other, relative)
            )
            if not same:
                yield f"{run}, {name}: {one}, stored {other}"


def flat(claims: Mapping[str, Numbers]) -> dict[str, Any]:
    """One number a name, from numbers by claim and check."""
    return {
        f"{claim}, {name}": value
        for claim, rows in claims.items()
        for name, value in rows.items()
    }


def main() -> int:
    """Store or compare; 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Compare what all claims measure.")
    parser.add_argument("--store", action="store_true", help="keep the numbers")
    parser.add_argument("--relative", type=float, default=ROUNDING, metavar="SHARE")
    options = parser.parse_args()
    found = run_all()
    if options.store:
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"The numbers are in {KEPT.relative_to(ROOT)}.")
        return 0
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    differing = list(differences(found, kept, options.relative))
    print(*differing, f"{len(differing)} numbers differ.", sep="\n")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
