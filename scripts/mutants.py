"""Which small changes of the package its tests do not notice.

    python scripts/mutants.py [--sample N] [--seed N] [--only FOLDER] [--jobs N]
                              [--minutes M]

A mutant is a module in which one node of one function body differs. A seeded sample of
them is written, one at a time, into a copy of the package, and the tests that mirror
the module run there, with those that all of its kind share: a mutant is killed if one
of them fails or takes far longer than without it. What was found is kept in
`_build/mutants.jsonl` as long as the module and its tests are the same.
`tests/equivalent_mutants.txt` has those that change nothing, a line each, `path
(function)  before -> after  # reason`.

Left as they are: docstrings, annotations, defaults of arguments, messages of errors,
what a check says of itself (name, reason, the digits that repeat) and limits of time.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from environment import ROOT
from mutations import mutated, sites

FOLDERS = {
    "dynamics": ("dynamics/**/*.py",),
    "models": ("models/**/*.py",),
    "measures": ("measures/**/*.py",),
    "oracles": ("oracles/**/*.py",),
    "claims": ("pages/**/claims.py", "pages/**/claims/*.py"),
}
PACKAGE = "ibcore"
SHARED = {
    "models": "tests/models/test_derivatives.py",
    "dynamics": "tests/dynamics/test_endings.py",
}
COPIED = (PACKAGE, "tests", "scripts", "pyproject.toml")
KEPT = Path("_build") / "mutants.jsonl"
EQUIVALENT = Path("tests") / "equivalent_mutants.txt"
NOT_OF_CLAIMS = ("explorers", "figures")
OUTCOMES = ("killed", "survived", "no test", "fails unchanged", "equivalent")
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
PATIENCE = 30.0  # seconds beyond four times as long as without a change
SETTING = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # halves the time of a start
}


@dataclass(frozen=True)
class Mutant:
    """The `number`-th change of a module; the name has its path, function and change,
    and the line is for the reader.
    """

    folder: str
    path: str
    number: int
    line: int
    name: str


def mutants(root: Path, folder: str) -> list[Mutant]:
    """All mutants of the modules of one of `FOLDERS`."""
    found = chain(*((root / PACKAGE).glob(pattern) for pattern in FOLDERS[folder]))
    all_of_them = []
    for path in sorted(set(found)):
        inside = path.relative_to(root).as_posix()
        names: Counter[str] = Counter()
        for number, site in enumerate(sites(ast.parse(path.read_text("utf-8")))):
            name = f"{inside} ({site.function})  {site.change}"
            names[name] += 1
            name += f" [{names[name]}]" * (names[name] > 1)
            all_of_them.append(Mutant(folder, inside, number, site.before.lineno, name))
    return all_of_them


def counts(sample: int) -> dict[str, int]:
    """How many mutants each folder gives: the claims a third, rounded up."""
    claims = -(-sample // 3)
    others = [folder for folder in FOLDERS if folder != "claims"]
    share, more = divmod(sample - claims, len(others))
    return {name: share + (i < more) for i, name in enumerate(others)} | {
        "claims": claims
    }


def sampled(root: Path, sample: int, seed: int, only: str = "") -> list[Mutant]:
    """A sample in which the folders take turns, so that its beginning is one, too."""
    drawn = []
    for folder, count in counts(sample).items():
        if only in ("", folder):
            everything = mutants(root, folder)
            random.Random(f"{seed} {folder}").shuffle(everything)  # noqa: S311
            chosen = everything[:count]
            drawn.append([((i + 0.5) / count, one) for i, one in enumerate(chosen)])
    turns = sorted(chain(*drawn), key=lambda pair: pair[0])
    return [mutant for _, mutant in turns]


def mirror(root: Path, path: str) -> tuple[str, ...]:
    """The tests of a module at the first guess, those that name a claim first.

    For pages/a/page/claims/one.py: tests/pages/a/test_page.py and those of its kin
    that speak of `one`; for pages/a/page/claims.py: all of them; for another module
    folder/one.py: tests/folder/test_one.py and test_one_*.py. A test whose name begins
    with that of another module or page belongs to that one. A module with such a test
    has also that which all models, or all engines, share.
    """
    module = Path(path).relative_to(PACKAGE)
    single = module.name == "claims.py"
    of_claim = single or module.parent.name == "claims"
    page = module.parent if single else module.parent.parent
    place = page if of_claim else module.with_suffix("")
    siblings = {one.stem for one in (root / PACKAGE / place.parent).iterdir()}
    own, others = [], []
    for test in sorted((root / "tests" / place.parent).glob(f"test_{place.name}*.py")):
        name = test.stem.removeprefix("test_")
        owners = [it for it in siblings if name == it or name.startswith(f"{it}_")]
        if max(owners, key=len, default="") != place.name:
            continue
        if not of_claim or name == place.name:
            others.append(test)
        elif not name.endswith(NOT_OF_CLAIMS) and (
            single or module.stem in test.read_text("utf-8")
        ):
            own.append(test)
    tests = [test.relative_to(root).as_posix() for test in (*own, *others)]
    shared = SHARED.get(module.parts[0]) if tests else None
    return (*tests, shared) if shared else tuple(tests)


def copied(root: Path, folder: Path) -> Path:
    """A copy of what the tests need, in `folder`."""
    folder.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name)
        elif (root / name).exists():
            shutil.copy2(root / name, folder / name)
    return folder


class Bench:
    """Copies of a package in which mutants are tried, and what was found before.

    The first copy stays as it is: what somebody edits meanwhile has no part in a run.
    """

    def __init__(self, root: Path, scratch: Path, jobs: int = 1) -> None:
        self.unchanged = copied(root, scratch / "unchanged")
        self.copies: queue.Queue[Path] = queue.Queue()
        for job in range(jobs):
            self.copies.put(copied(root, scratch / str(job)))
        self.kept = root / KEPT
        self.known: dict[str, dict[str, Any]] = {}
        if self.kept.exists():
            lines = self.kept.read_text("utf-8").splitlines()
            self.known = {one["key"]: one for one in map(json.loads, lines)}
        self.running: set[subprocess.Popen[bytes]] = set()
        self.closed = False

    def close(self) -> None:
        """Nothing begins any more, and what runs ends."""
        self.closed = True
        for process in tuple(self.running):
            _end(process)

    def outcome(self, mutant: Mutant) -> Mapping[str, Any]:
        """What the tests of its module say of a mutant: `outcome` and `seconds`."""
        tests = mirror(self.unchanged, mutant.path)
        if not tests:
            return {"outcome": "no test", "seconds": 0.0}
        key = self._key(f"{mutant.number} {mutant.name}", mutant.path, *tests)
        if key not in self.known:
            folder = self.copies.get()
            try:
                self._keep(key, mutant.name, *self._try(folder, mutant, tests))
            finally:
                self.copies.put(folder)
        return self.known[key]

    def _try(
        self, folder: Path, mutant: Mutant, tests: tuple[str, ...]
    ) -> tuple[str, float]:
        key = self._key("unchanged", *tests)
        if key not in self.known:
            passed, seconds = self._passes(folder, tests, None)
            self._keep(key, " ".join(tests), "passes" if passed else "fails", seconds)
        if self.known[key]["outcome"] == "fails":
            return "fails unchanged", 0.0
        module = folder / mutant.path
        source = module.read_text("utf-8")
        for compiled in (module.parent / "__pycache__").glob(f"{module.stem}.*"):
            compiled.unlink()
        try:
            module.write_text(mutated(source, mutant.number), "utf-8")
            limit = PATIENCE + 4 * self.known[key]["seconds"]
            passed, seconds = self._passes(folder, tests, limit)
        finally:
            module.write_text(source, "utf-8")
        return "survived" if passed else "killed", seconds

    def _passes(
        self, folder: Path, tests: Sequence[str], limit: float | None
    ) -> tuple[bool, float]:
        """Whether the tests pass within so many seconds, and how many they take.

        A run without limit is that of the package as it is; a mutant leaves no compiled
        module behind.
        """
        env = os.environ | SETTING | {"PYTHONPATH": str(folder)}
        env |= {} if limit is None else {"PYTHONDONTWRITEBYTECODE": "1"}
        began = time.monotonic()
        process = subprocess.Popen(
            [*PYTEST, *tests],
            cwd=folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.running.add(process)
        try:
            passed = process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            passed = False
        finally:
            _end(process)
            self.running.discard(process)
        if self.closed:
            raise CancelledError
        return passed, round(time.monotonic() - began, 1)

    def _key(self, what: str, *paths: str) -> str:
        texts = [(self.unchanged / path).read_text("utf-8") for path in paths]
        return hashlib.sha256("\0".join([what, *paths, *texts]).encode()).hexdigest()

    def _keep(self, key: str, name: str, outcome: str, seconds: float) -> None:
        found = {"key": key, "name": name, "outcome": outcome, "seconds": seconds}
        self.known[key] = found
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        with self.kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tried(
    bench: Bench, chosen: Sequence[Mutant], claimed: set[str], jobs: int, end: float
) -> Iterator[tuple[Mutant, Mapping[str, Any]]]:
    """The outcome of each mutant, as it comes; none begins after `end` (of the
    monotonic clock).
    """

    def one(mutant: Mutant) -> tuple[Mutant, Mapping[str, Any]] | None:
        if mutant.name in claimed:
            return mutant, {"outcome": "equivalent", "seconds": 0.0}
        if bench.closed or time.monotonic() > end:
            return None
        return mutant, bench.outcome(mutant)

    with ThreadPoolExecutor(jobs) as executor:
        try:
            for done in as_completed([executor.submit(one, it) for it in chosen]):
                if found := done.result():
                    yield found
        finally:
            bench.close()
            executor.shutdown(cancel_futures=True)


def equivalents(root: Path) -> set[str]:
    """The names of the mutants that are claimed to change nothing."""
    path = root / EQUIVALENT
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {line.rpartition("  # ")[0] for line in lines if "  # " in line}


def summary(outcomes: Sequence[tuple[str, str]]) -> str:
    """A table of pairs (folder, outcome); the rate is the share of those killed among
    those that are not equivalent.
    """
    rows = [f"{'':10}" + "".join(f"{name:>17}" for name in (*OUTCOMES, "rate"))]
    for folder in (*FOLDERS, "all"):
        mine = [found for name, found in outcomes if folder in (name, "all")]
        row = [mine.count(name) for name in OUTCOMES]
        able = len(mine) - row[-1]
        rate = f"{row[0] / able:.0%}" if able else "-"
        rows.append(f"{folder:10}" + "".join(f"{cell:>17}" for cell in (*row, rate)))
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Try a sample, print a line a mutant and a table; 1 if one survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=120, metavar="N")
    parser.add_argument("--seed", type=int, default=14, metavar="N")
    parser.add_argument("--only", default="", choices=FOLDERS, help="one folder")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin none after so long"
    )
    options = parser.parse_args(arguments)
    end = time.monotonic() + 60 * options.minutes
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        bench = Bench(root, Path(scratch), options.jobs)
        draw = (options.sample, options.seed, options.only)
        chosen = sampled(bench.unchanged, *draw)
        claimed = equivalents(bench.unchanged)
        for mutant, found in tried(bench, chosen, claimed, options.jobs, end):
            outcomes.append((mutant.folder, found["outcome"]))
            where = f"{mutant.path}:{mutant.line}"
            words = (f"{found['outcome']:<9}", f"{found['seconds']:5.1f} s")
            name = mutant.name.replace(mutant.path, where)
            print(*words, name, sep="  ", flush=True)
    print(summary(outcomes), f"{len(outcomes)} of {len(chosen)} tried.", sep="\n")
    return int(any(found == "survived" for _, found in outcomes))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
