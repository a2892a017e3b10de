"""Which numbers depend on the processor: the notebooks and the claims under the
settings of older machines.

    python scripts/processors.py [--list] [--only TEXT] [-n WORKERS]

Each setting is one that this processor can run. Under each of them every notebook is
compared with what it stores and all claims run at `quick`; the table counts cells that
differ, verdicts that are not those of the machine's own setting, and measured numbers
that differ from it by more than a percent.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment import ROOT, notebook_environment
from run_tests import NOTEBOOKS, command

PERCENT = 0.01
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "IBCORE_THREADS",
)
OWN = "own setting"
# The kernels of OpenBLAS, oldest first, and the instructions that each needs.
X86_CORES = {
    "Prescott": {"pni"},
    "Nehalem": {"sse4_2"},
    "Sandybridge": {"avx"},
    "Haswell": {"avx2", "fma"},
    "SkylakeX": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
MACOS_NAMES = {"sse3": "pni", "sse4.2": "sse4_2", "avx1.0": "avx"}

Setting = Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What one setting gave: the cells that differ and the record of each claim."""

    cells: tuple[str, ...]
    claims: Mapping[str, Mapping[str, Any]]


def processor_flags() -> set[str]:
    """The instruction sets of this processor, in the words of Linux; empty where nobody
    says.
    """
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        return {
            word
            for line in lines
            if line.startswith("flags")
            for word in line.partition(":")[2].split()
        }
    names = ("machdep.cpu.features", "machdep.cpu.leaf7_features")
    found = subprocess.run(
        ["sysctl", "-n", *names], capture_output=True, text=True, check=False
    )
    words = found.stdout.lower().split()
    return {MACOS_NAMES.get(word, word) for word in words}


def settings(machine: str, flags: set[str]) -> dict[str, Setting]:
    """The settings that a processor can run, each with its environment variables.

    machine: as `platform.machine()` says it. flags: of `processor_flags`. A setting for
    which an instruction is missing would end the process, so it is left out.
    """
    found: dict[str, Setting] = {OWN: {}}
    for number in ("1", "2"):
        found[f"threads {number}"] = dict.fromkeys(THREADS, number)
    choices = {"ATEN_CPU_CAPABILITY": ["default"], "OPENBLAS_CORETYPE": ["ARMV8"]}
    if machine in ("x86_64", "AMD64"):
        cores = [name for name, needs in X86_CORES.items() if needs <= flags]
        choices |= {"MKL_CBWR": ["COMPATIBLE"], "OPENBLAS_CORETYPE": cores}
        if {"avx2", "fma"} <= flags:
            choices["ATEN_CPU_CAPABILITY"].append("avx2")
            choices["MKL_CBWR"].append("AVX2")
    for name, values in choices.items():
        found |= {f"{name}={value}": {name: value} for value in values}
    oldest = {name: values[0] for name, values in choices.items() if values}
    return {**found, "all of the oldest": oldest}


def run(setting: Setting, workers: str) -> Outcome:
    """Compare the notebooks and run the claims under one setting."""
    env = notebook_environment(building=False) | setting
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        alone = (
            setting.get("IBCORE_THREADS", "1") != "1"
        )  # processes would wait for cores
        processes = "1" if alone else workers
        compare = command(["-n", processes, "-q", f"--junitxml={report}"], NOTEBOOKS)
        compared = _quietly(compare, env)
        if not report.exists():
            raise SystemExit(f"The notebooks were not compared:\n{compared.stdout}")
        claims = [sys.executable, "-m", "ibcore", "verify", "--json", "--out", folder]
        records = map(json.loads, _quietly(claims, env).stdout.splitlines())
        cells = tuple(_failures(ET.parse(report).iter("testcase")))  # noqa: S314
        return Outcome(cells, {record["id"]: record for record in records})


def _quietly(
    arguments: list[str], env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def _failures(cases: Iterable[ET.Element]) -> Iterator[str]:
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            yield f"{case.get('classname')} {case.get('name')}"


def numbers(record: Mapping[str, Any]) -> dict[str, float | None]:
    """What a claim measured, by the names of its checks and its control."""
    parts = [*record["checks"], record["control"]]
    return {part["name"]: part["measured"] for part in parts}


def verdict(record: Mapping[str, Any]) -> tuple[bool, ...]:
    """What a claim's record says: each check, then the control."""
    held = (bool(check["holds"]) for check in record["checks"])
    return (*held, bool(record["control"]["refuted"]))


def differ(first: float | None, second: float | None) -> bool:
    """Whether two measurements differ by more than a percent; a missing one differs
    from any number.
    """
    if first is None or second is None:
        return first is not second
    return not math.isclose(first, second, rel_tol=PERCENT)


def differences(own: Outcome, other: Outcome) -> tuple[list[str], list[str]]:
    """The claims whose verdicts differ, and the measurements that differ, in words."""
    verdicts, measured = [], []
    for name in sorted(own.claims.keys() | other.claims.keys()):
        if name not in own.claims or name not in other.claims:
            verdicts.append(f"{name}: no record")
            continue
        first, second = own.claims[name], other.claims[name]
        if verdict(first) != verdict(second):
            verdicts.append(name)
        before, after = numbers(first), numbers(second)
        measured += [
            f"{name}: {check}: {before.get(check)} / {after.get(check)}"
            for check in sorted(before.keys() | after.keys())
            if differ(before.get(check), after.get(check))
        ]
    return verdicts, measured


def main() -> int:
    """Print the table and below it what differs; 1 where a cell or a verdict does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="only name the settings")
    parser.add_argument("--only", default="", help="settings whose name has this text")
    parser.add_argument("-n", default="logical", help="processes for the notebooks")
    options = parser.parse_args()
    found = settings(platform.machine(), processor_flags())
    chosen = {k: v for k, v in found.items() if k == OWN or options.only in k}
    if options.list:
        print(*chosen, sep="\n")
        return 0
    width = max(map(len, chosen))
    print(f"{'':<{width}}  cells  verdicts  numbers", flush=True)
    own, details, sound = None, [], True
    for name, setting in chosen.items():
        outcome = run(setting, options.n)
        own = own or outcome
        verdicts, measured = differences(own, outcome)
        sound = sound and not outcome.cells and not verdicts
        counts = f"{len(outcome.cells):5}  {len(verdicts):8}  {len(measured):7}"
        print(f"{name:<{width}}  {counts}", flush=True)
        details += [f"{name}: {it}" for it in (*outcome.cells, *verdicts, *measured)]
    print(*details, sep="\n")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
