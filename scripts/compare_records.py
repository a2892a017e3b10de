"""What every claim measures, before and after a change of code that should change no
number.

    python scripts/compare_records.py --store       run all claims and keep what they
                                                    measure
    python scripts/compare_records.py               run all claims again and say what
                                                    differs
    python scripts/compare_records.py [--store] PAGE or ID ...
                                                    the same for some claims

The claims run at `quick` for three seeds and at `book` for one, all of them some
minutes on two cores. The numbers are kept in tests/records.json. On the machine that
stored them they should repeat to rounding (the default tolerance); between machines use
--relative 0.1. Numbers that are a precision are compared by whether they hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compare_numbers import agree
from environment import ROOT, notebook_environment

KEPT = ROOT / "tests" / "records.json"
RUNS = (("quick", 0), ("quick", 1), ("quick", 2), ("book", 0))
ROUNDING = 1e-6

Numbers = Mapping[str, Any]


def measured(record: Mapping[str, Any]) -> Numbers:
    """The measurements of one record by the names of its checks; of a precision only
    whether it holds.
    """
    control = record["control"]
    rows = {check["name"]: check for check in record["checks"]}
    if "name" in control:
        rows[f"control: {control['name']}"] = {**control, "holds": control["refuted"]}
    return {
        name: row["holds"] if row.get("precision") else row["measured"]
        for name, row in rows.items()
    }


def run(chosen: Sequence[str]) -> dict[str, dict[str, Numbers]]:
    """The measurements of all claims or of those chosen, by preset and seed and then by
    claim.
    """
    found = {}
    for preset, seed in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "ibcore", "verify", *chosen, "--json"]
            command += ["--preset", preset, "--seed", str(seed), "--device", "cpu"]
            done = subprocess.run(
                [*command, "--out", folder],
                cwd=ROOT,
                env=notebook_environment(building=False),
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        records = [json.loads(line) for line in done.stdout.splitlines()]
        found[f"{preset} {seed}"] = {one["id"]: measured(one) for one in records}
    return found


def differences(
    found: Mapping[str, Mapping[str, Numbers]],
    kept: Mapping[str, Mapping[str, Numbers]],
    relative: float,
) -> Iterator[str]:
    """In words, which measurements differ by more than the share `relative`, appeared
    or vanished.
    """
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


def joined(
    kept: Mapping[str, Mapping[str, Numbers]],
    found: Mapping[str, Mapping[str, Numbers]],
) -> dict[str, dict[str, Numbers]]:
    """What was kept, with the claims that were run in place of what it says of them;
    sorted by claim.
    """
    runs = {name: {**kept.get(name, {}), **claims} for name, claims in found.items()}
    return {name: dict(sorted(claims.items())) for name, claims in runs.items()}


def only(
    kept: Mapping[str, Mapping[str, Numbers]],
    found: Mapping[str, Mapping[str, Numbers]],
) -> dict[str, dict[str, Numbers]]:
    """What was kept of the claims that were found."""
    return {
        run: {name: rows for name, rows in claims.items() if name in found.get(run, {})}
        for run, claims in kept.items()
    }


def main() -> int:
    """Store or compare; 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Compare what claims measure.")
    parser.add_argument("chosen", nargs="*", metavar="ID", help="a claim or a page")
    parser.add_argument("--store", action="store_true", help="keep the numbers")
    parser.add_argument("--relative", type=float, default=ROUNDING, metavar="SHARE")
    options = parser.parse_args()
    found = run(options.chosen)
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    if options.store:
        text = json.dumps(joined(kept if options.chosen else {}, found), indent=1)
        KEPT.write_text(text + "\n", encoding="utf-8")
        print(f"The numbers are in {KEPT.relative_to(ROOT)}.")
        return 0
    if options.chosen:
        kept = only(kept, found)
    differing = list(differences(found, kept, options.relative))
    print(*differing, f"{len(differing)} numbers differ.", sep="\n")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
