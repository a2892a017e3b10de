"""Run many claims: in parallel, with progress, keeping every finished result on disk."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ibcore.claims import Setting, all_claims
from ibcore.validation import InvalidInput

Record = dict[str, Any]


def results_file(directory: Path, preset: str, seed: int, device: str) -> Path:
    """Where the records of one preset, seed and device are kept, one JSON object a line."""
    return directory / f"{preset}-seed{seed}-{device}.jsonl"


def finished(path: Path) -> dict[str, Record]:
    """Records already in `path`, by claim id; a line cut off by an interruption is left out."""
    records: dict[str, Record] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                record = json.loads(line)
                records[record["id"]] = record
            except (json.JSONDecodeError, KeyError):
                continue
    return records


def open_results(path: Path, *, resume: bool) -> dict[str, Record]:
    """Create the results file and say what it holds already.

    Raises `InvalidInput` where the directory cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        records = finished(path) if resume else {}
        path.write_text(
            "".join(json.dumps(record) + "\n" for record in records.values())
        )
    except OSError as error:
        raise InvalidInput(
            f"results cannot be written to {path.parent} ({error.strerror or error}). "
            f"Pass another --out."
        ) from error
    return records


def verify(
    identifiers: Iterable[str],
    setting: Setting,
    *,
    path: Path,
    workers: int,
    done: dict[str, Record],
    progress: bool,
) -> Iterator[Record]:
    """Records of the claims as they finish, those in `done` first; new ones are appended to `path` at once."""
    identifiers = list(identifiers)
    yield from (done[name] for name in identifiers if name in done)
    todo = [name for name in identifiers if name not in done]
    with (
        tqdm(
            total=len(identifiers),
            initial=len(identifiers) - len(todo),
            disable=not progress,
            unit="claim",
            file=sys.stderr,
        ) as bar,
        path.open("a") as file,
    ):
        for record in _records(todo, setting, workers):
            file.write(json.dumps(record) + "\n")
            file.flush()
            bar.set_postfix_str(record["id"])
            bar.update()
            yield record


def _records(todo: list[str], setting: Setting, workers: int) -> Iterator[Record]:
    if workers == 1 or len(todo) <= 1:
        for name in todo:
            yield run_claim(name, setting)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), mp_context=context, initializer=_single_thread
    )
    futures: list[Future[Record]] = [
        pool.submit(run_claim, name, setting) for name in todo
    ]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _single_thread() -> None:
    """A worker computes on one core and leaves Ctrl-C to the process that started it."""
    import signal  # noqa: PLC0415 - only workers need it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def run_claim(name: str, setting: Setting) -> Record:
    """The record of one claim. A claim that raises does not hold, and its record says why."""
    claim = all_claims()[name]
    try:
        return _plain(claim.verify(setting).as_dict())
    except Exception as error:  # noqa: BLE001 - one broken claim must not lose the others' results
        return {
            "id": claim.id,
            "page": claim.page,
            "kind": claim.kind,
            "holds": False,
            "checks": [],
            "control": {"name": "not run", "measured": None, "refuted": False},
            "notes": {},
            "error": f"{type(error).__name__}: {error}",
            "seed": setting.seed,
            "preset": setting.preset,
            "device": setting.device.type,
            "seconds": None,
        }


def _plain(value: Any) -> Any:
    """JSON has no NaN or infinity; they become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def default_workers() -> int:
    """One process a core that this process may use."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def stands(record: Record) -> bool:
    """The claim holds and its control is refuted."""
    return bool(record["holds"] and record["control"]["refuted"])
