"""The command line: `ibcore claims` lists what the survey claims, `ibcore verify` runs it."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibcore import __version__, verify
from ibcore.claims import Setting, all_claims
from ibcore.ledger import Job, Ledger, NotKept, Record
from ibcore.output import NoOutput, put, say
from ibcore.stopping import Stopped
from ibcore.validation import DEVICES, PRESETS, InvalidInput

HOLDS, FAILS, USAGE, UNFINISHED, CLOSED = 0, 1, 2, 3, 141
SEEDS = 2**63  # what every reader of JSON and every generator takes
EXIT_CODES = """\
exit code: 0 every claim holds and every control is refuted; 1 not so; 2 wrong usage;
3 the run ended early (a full disk); 130 Ctrl-C, 143 SIGTERM; 141 the output was closed.
"""
RESUME = "run the same command with --resume to go on"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, which `EXIT_CODES` explains."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InvalidInput as error:
        say(str(error))
        return USAGE
    except NoOutput as error:
        return _without_output(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ibcore", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ibcore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser(
        "claims", help="list every claim with its page, kind and source"
    )
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_claims)
    machine = commands.add_parser(
        "info", help="print versions, BLAS, threads and processor, for a report"
    )
    machine.add_argument("--json", action="store_true", help="one JSON object")
    machine.set_defaults(run=_info)
    _add_verify(commands)
    return parser


def _add_verify(commands: Any) -> None:
    check = commands.add_parser(
        "verify",
        help="run claims and print what holds",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
        help="where results are kept as they finish, in results.jsonl, to which runs only add "
        "(default: ibcore-results)",
    )
    check.add_argument(
        "--resume",
        action="store_true",
        help="take from DIR what was computed with this code and these library versions, and run "
        "what is missing or ended with an error",
    )
    check.set_defaults(run=_verify)


def _seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 30 or int(text) >= SEEDS:
        got = repr(text) if len(text) <= 30 else f"a text of {len(text)} characters"
        raise argparse.ArgumentTypeError(
            f"{got} is no seed; pass an integer from 0 to {SEEDS - 1}"
        )
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text[:30]!r} is no number of processes; pass an integer from 1 to 9999"
        )
    return int(text)


def _claims(options: argparse.Namespace) -> int:
    claims = all_claims()
    if options.json:
        for claim in claims.values():
            told = {
                name: getattr(claim, name) for name in ("id", "page", "kind", "source")
            }
            put(json.dumps(told))
        return HOLDS
    width = max(map(len, claims))
    for claim in claims.values():
        put(
            f"{claim.id:<{width}}  {claim.kind:<9}  {claim.page}\n{'':<{width}}  {claim.source}"
        )
    return HOLDS


def _info(options: argparse.Namespace) -> int:
    from ibcore.info import as_text, facts  # noqa: PLC0415 - imports all solvers

    put(json.dumps(facts()) if options.json else as_text(facts()))
    return HOLDS


def _without_output(error: NoOutput) -> int:
    """Nothing is lost with a list: quiet where its reader has seen enough."""
    if error.closed:
        return CLOSED
    say(f"the output cannot be written ({error}). Make room, and run it again.")
    return UNFINISHED


def _verify(options: argparse.Namespace) -> int:
    chosen = _chosen(options.ids)
    setting = Setting.create(options.preset, options.seed, options.device)
    claims = all_claims()
    jobs = verify.jobs_for([claims[name] for name in chosen], setting)
    ledger = Ledger(options.out)
    done = verify.finished(jobs, ledger) if options.resume else {}
    for sentence in _notices(ledger, jobs, resume=options.resume):
        say(sentence)
    one = 1 if setting.device.type == "cuda" else verify.default_workers()
    records: list[Record] = []
    results = verify.verify(
        jobs,
        ledger,
        workers=options.workers or one,
        done=done,
        progress=sys.stderr.isatty(),
    )
    try:
        with contextlib.closing(results):
            for record in results:
                records.append(record)
                if options.json:
                    put(json.dumps(record))
        records.sort(key=lambda record: chosen.index(record["id"]))
        if not options.json:
            put(_table(records))
    except (Stopped, NotKept, NoOutput) as end:
        kept = f"{len(records)} of {len(jobs)} results are kept in {ledger.path}"
        return _ended_early(end, kept)
    broken = [record["id"] for record in records if "error" in record]
    if broken:
        say(
            f"{len(broken)} of {len(jobs)} claims ended with an error ({', '.join(broken)}); "
            f"the same command with --resume runs them again and keeps the others."
        )
    return HOLDS if all(map(verify.stands, records)) else FAILS


def _notices(ledger: Ledger, jobs: list[Job], *, resume: bool) -> list[str]:
    """What in the folder is not used, and why."""
    said = ledger.left_out
    outdated = sum(map(ledger.outdated, jobs))
    if resume and outdated:
        said.append(
            f"{outdated} result(s) of other code or other library versions are run again"
        )
    return [f"{sentence}." for sentence in said]


def _ended_early(end: Stopped | NotKept | NoOutput, kept: str) -> int:
    """Say in one sentence what is kept and what to do; returns the exit code."""
    if isinstance(end, Stopped):
        say(f"stopped; {kept}; {RESUME}.")
        return end.code
    if isinstance(end, NotKept):
        say(f"{end}; {kept}; make room there, and {RESUME}.")
        return UNFINISHED
    say(f"the output cannot be written ({end}); {kept}; {RESUME}.")
    return CLOSED if end.closed else UNFINISHED


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


def _table(records: list[Record]) -> str:
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
        lines += [f"{'':<{width}}  broke down: {told}" for told in record["broken"]]
        lines += [
            f"{'':<{width}}  FAILS: {_failure(check)}"
            for check in record["checks"]
            if not check["holds"]
        ]
    held = sum(map(verify.stands, records))
    return "\n".join([*lines, f"{held} of {len(records)} claims stand."])


def _failure(check: dict[str, Any]) -> str:
    measured, predicted = (
        _number(check[name], 6) for name in ("measured", "predicted")
    )
    band = f" +- {_number(check['tolerance'], 2)}" if check["relation"] == "=" else ""
    return (
        f"{check['name']}: {measured}, expected {check['relation']} {predicted}{band}"
    )


def _number(value: float | None, digits: int) -> str:
    return "not a finite number" if value is None else f"{value:.{digits}g}"
