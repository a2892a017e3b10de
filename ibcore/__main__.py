"""The command line: `ibcore claims` lists what the survey claims, `ibcore verify` runs it."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibcore import __version__, verify
from ibcore.claims import Setting, all_claims
from ibcore.validation import DEVICES, PRESETS, InvalidInput

HOLDS, FAILS, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0 if all is well, 1 if a claim fails, 2 for wrong usage, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InvalidInput as error:
        print(f"ibcore: {error}", file=sys.stderr)
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ibcore", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ibcore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser(
        "claims", help="list every claim with its page, kind and source"
    )
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_claims)
    check = commands.add_parser("verify", help="run claims and print what holds")
    check.add_argument(
        "ids", nargs="*", metavar="ID", help="claims to run (default: all)"
    )
    check.add_argument(
        "--preset",
        choices=PRESETS,
        default="quick",
        help="size of the experiments: quick for tests, book as on the pages, full for a cluster",
    )
    check.add_argument(
        "--seed",
        type=_seed,
        default=0,
        help="a claim must hold for any seed (default: 0)",
    )
    check.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="auto takes a GPU where there is one",
    )
    check.add_argument(
        "--workers",
        type=_workers,
        default=None,
        help="processes (default: one per core; 1 on a GPU)",
    )
    check.add_argument(
        "--json", action="store_true", help="one JSON object per line, as claims finish"
    )
    check.add_argument(
        "--out",
        type=Path,
        default=Path("ibcore-results"),
        metavar="DIR",
        help="where results are kept as they finish (default: ibcore-results)",
    )
    check.add_argument(
        "--resume",
        action="store_true",
        help="keep the results in DIR and run what is missing",
    )
    check.set_defaults(run=_verify)
    return parser


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no seed; pass an integer of at least 0"
        )
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of processes; pass an integer of at least 1"
        )
    return int(text)


def _claims(options: argparse.Namespace) -> int:
    claims = all_claims()
    if options.json:
        for claim in claims.values():
            print(
                json.dumps(
                    {
                        "id": claim.id,
                        "page": claim.page,
                        "kind": claim.kind,
                        "source": claim.source,
                    }
                )
            )
        return HOLDS
    width = max(map(len, claims))
    for claim in claims.values():
        print(
            f"{claim.id:<{width}}  {claim.kind:<9}  {claim.page}\n{'':<{width}}  {claim.source}"
        )
    return HOLDS


def _verify(options: argparse.Namespace) -> int:
    chosen = _chosen(options.ids)
    setting = Setting.create(options.preset, options.seed, options.device)
    workers = options.workers or (
        1 if setting.device.type == "cuda" else verify.default_workers()
    )
    path = verify.results_file(
        options.out, setting.preset, setting.seed, setting.device.type
    )
    done = verify.open_results(path, resume=options.resume)
    records = []
    try:
        for record in verify.verify(
            chosen,
            setting,
            path=path,
            workers=workers,
            done=done,
            progress=sys.stderr.isatty(),
        ):
            records.append(record)
            if options.json:
                print(json.dumps(record), flush=True)
    except KeyboardInterrupt:
        print(
            f"\nibcore: stopped; {len(records)} of {len(chosen)} results are in {path}. "
            f"Run the same command with --resume to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not options.json:
        print(_table(sorted(records, key=lambda record: chosen.index(record["id"]))))
    return HOLDS if all(map(verify.stands, records)) else FAILS


def _chosen(identifiers: list[str]) -> list[str]:
    known = list(all_claims())
    for name in identifiers:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = (
                f"Did you mean {', '.join(near)}?"
                if near
                else "See 'ibcore claims' for all of them."
            )
            raise InvalidInput(f"there is no claim {name!r}. {hint}")
    return list(dict.fromkeys(identifiers)) or known


def _table(records: list[dict[str, Any]]) -> str:
    width = max(len(record["id"]) for record in records)
    lines = [f"{'claim':<{width}}  checks  control      seconds"]
    for record in records:
        held = sum(check["holds"] for check in record["checks"])
        control = "refuted" if record["control"]["refuted"] else "NOT REFUTED"
        seconds = "" if record["seconds"] is None else f"{record['seconds']:7.1f}"
        lines.append(
            f"{record['id']:<{width}}  {held:>2}/{len(record['checks']):<2}   {control:<11}  {seconds}"
        )
        if "error" in record:
            lines.append(f"{'':<{width}}  {record['error']}")
        lines += [
            f"{'':<{width}}  FAILS: {_failure(check)}"
            for check in record["checks"]
            if not check["holds"]
        ]
    held = sum(map(verify.stands, records))
    return "\n".join([*lines, f"{held} of {len(records)} claims stand."])


def _failure(check: dict[str, Any]) -> str:
    measured = (
        "not a finite number"
        if check["measured"] is None
        else f"{check['measured']:.6g}"
    )
    band = f" +- {check['tolerance']:.2g}" if check["relation"] == "=" else ""
    return f"{check['name']}: {measured}, expected {check['relation']} {check['predicted']:.6g}{band}"


if __name__ == "__main__":
    sys.exit(main())
