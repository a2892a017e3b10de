"""The command line: `ibcore claims` lists what the survey claims, `ibcore verify` runs
it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ibcore import __version__, own_data, selection, sizes, sweep, verify
from ibcore.claims import Setting, all_claims
from ibcore.ledger import Job, Ledger, NotKept, Record
from ibcore.output import NoOutput, put, say
from ibcore.stopping import Stopped
from ibcore.validation import DEVICES, PRESETS, InvalidInput

Parsed = TypeVar("Parsed")
HOLDS, FAILS, USAGE, UNFINISHED, CLOSED = 0, 1, 2, 3, 141
MORE = """\
With --seeds a summary follows: for every check the share of seeds at which it holds, with its exact
95 % interval, and the quantiles of its slack, which is how far the measured value is inside its bar,
in units of the bar. A check states the share 1 if its tag is proved and 0.99 otherwise, unless it
says another; a control is counted as a check that holds where it is refuted, and states 0.99.
With --json the summary is one line a claim, which has the key "summary".

exit code: 0 every claim holds and every control is refuted; 1 not so; 2 wrong usage;
3 the run ended early (a full disk); 130 Ctrl-C, 143 SIGTERM; 141 the output was closed.
Over many seeds 1 means that an interval lies below the share that its check states, or that a run
ended with an error, which counts as a seed at which nothing holds.
"""
RESUME = "run the same command with --resume to go on"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, which `MORE` explains."""
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
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="claims to run, by id, or by page: its path or the last part of it "
        "(default: all)",
    )
    _add_experiment(check)
    _add_running(check)
    check.set_defaults(run=_verify)


def _add_experiment(check: argparse.ArgumentParser) -> None:
    """What is run: sizes, seeds, data."""
    check.add_argument(
        "--preset",
        choices=PRESETS,
        default="quick",
        help="size of the experiments: quick for tests, book as on the pages, full for "
        "a cluster",
    )
    which = check.add_mutually_exclusive_group()
    which.add_argument(
        "--seed",
        type=_parser_of(selection.seed),
        default=None,
        help="a claim must hold for any seed (default: 0)",
    )
    which.add_argument(
        "--seeds",
        type=_parser_of(selection.seeds),
        metavar="N|A:B|LIST",
        help="many seeds, with a summary: 200 is 0 to 199, 5:9 is 5 to 8, 3,17,4 are "
        "these",
    )
    check.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a size of the preset, for instance problems=20 or widths=30,100; "
        "repeatable. Every claim that is run must have it",
    )
    check.add_argument(
        "--data",
        type=_parser_of(own_data.read),
        metavar="FILE",
        help="your own data in place of drawn problems, for claims that take them: "
        f"{own_data.FORMS}",
    )


def _add_running(check: argparse.ArgumentParser) -> None:
    """Where it is run, and where results go."""
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
        help="where results are kept as they finish, in results.jsonl, to which runs "
        "only add (default: ibcore-results)",
    )
    check.add_argument(
        "--resume",
        action="store_true",
        help="take from DIR what was computed with this code and these library "
        "versions, and run what is missing or ended with an error",
    )


def _parser_of(read: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """`read` as argparse calls it: what it refuses is wrong usage."""

    def parsed(text: str) -> Parsed:
        try:
            return read(text)
        except InvalidInput as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


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
            f"{claim.id:<{width}}  {claim.kind:<9}  {claim.page}\n{'':<{width}}  "
            f"{claim.source}"
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
    claims = selection.chosen(options.names, all_claims())
    setting = Setting.create(options.preset, options.seed or 0, options.device)
    override = sizes.parsed(options.size)
    jobs = verify.jobs_for(
        claims, setting, seeds=options.seeds, override=override, data=options.data
    )
    ledger = Ledger(options.out)
    for sentence in _notices(ledger, jobs, resume=options.resume):
        say(sentence)
    one = 1 if setting.device.type == "cuda" else verify.default_workers()
    results = verify.run(
        jobs,
        ledger,
        workers=options.workers or one,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )
    records: list[Record] = []
    try:
        with contextlib.closing(results):
            for record in results:
                records.append(record)
                if options.json:
                    put(json.dumps(record))
        places = {(job.claim, job.seed): place for place, job in enumerate(jobs)}
        records.sort(key=lambda record: places[record["id"], record["seed"]])
        stands = (_runs if options.seeds is None else _seeds)(records, options)
    except (Stopped, NotKept, NoOutput) as end:
        kept = f"{len(records)} of {len(jobs)} results are kept in {ledger.path}"
        return _ended_early(end, kept)
    _tell_errors(records)
    return HOLDS if stands else FAILS


def _runs(records: Sequence[Record], options: argparse.Namespace) -> bool:
    """Print the table of runs; whether all claims stand."""
    from ibcore.report.runs import runs_table  # noqa: PLC0415 - loads IPython

    if not options.json:
        put(runs_table(records))
    return all(map(verify.stands, records))


def _seeds(records: Sequence[Record], options: argparse.Namespace) -> bool:
    """Print the summary over seeds; whether all claims reach their shares and no run
    ended with an error.
    """
    from ibcore.report.runs import seeds_table  # noqa: PLC0415 - loads IPython

    summaries = sweep.summarize(records)
    if options.json:
        for summary in summaries:
            put(json.dumps(summary.as_dict(), allow_nan=False))
    else:
        put(seeds_table(summaries))
    return all(summary.reaches and not summary.errors for summary in summaries)


def _tell_errors(records: Sequence[Record]) -> None:
    """Say which runs gave no evidence."""
    broken = [record for record in records if "error" in record]
    if broken:
        named = [f"{record['id']} at seed {record['seed']}" for record in broken[:10]]
        more = [f"{len(broken) - 10} more"] if len(broken) > 10 else []
        say(
            f"{len(broken)} of {len(records)} runs ended with an error "
            f"({', '.join(named + more)}); the same command with --resume runs them "
            "again and keeps the others."
        )


def _notices(ledger: Ledger, jobs: list[Job], *, resume: bool) -> list[str]:
    """What in the folder is not used, and why."""
    said = ledger.left_out
    outdated = sum(map(ledger.outdated, jobs))
    if resume and outdated:
        said.append(
            f"{outdated} result(s) of other code or other library versions are run "
            "again"
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
