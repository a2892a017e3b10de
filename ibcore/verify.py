"""Run many claims: by worker processes or any executor, with progress, keeping every
finished result in a folder.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import numbers
import os
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from typing import Any

import torch
from tqdm import tqdm

from ibcore import own_data, pool, sizes
from ibcore.claims import Claim, Setting, all_claims
from ibcore.ledger import Job, Ledger, Record
from ibcore.provenance import code_digest
from ibcore.validation import InvalidInput, positive_integer

Answers = Generator[tuple[Job, Record | str], None, None]


def jobs_for(
    claims: Iterable[Claim],
    setting: Setting,
    *,
    seeds: Iterable[int] | None = None,
    override: Mapping[str, Any] | None = None,
    data: own_data.DataFile | None = None,
) -> list[Job]:
    """One job a claim and seed: all claims at the first seed, in their order, then all
    at the next.

    seeds: those of the jobs; None takes the setting's.      override: sizes that
    replace the preset's; every claim must have them, and takes them as `sizes.fitting`
    says.      data: a reader's own in place of drawn problems. Raises `InvalidInput`
    for what is no seed or no size of a claim, and for claims that take no data.
    """
    claims = list(claims)
    if data is not None:
        _take_data(claims, setting, data)
    file = (data.path, data.digest) if data else ("", "")
    every = [setting.seed] if seeds is None else seeds
    fitted = [
        (claim, sizes.fitting(claim, setting.preset, override or {}))
        for claim in claims
    ]
    return [
        Job(
            claim=claim.id,
            preset=setting.preset,
            seed=positive_integer("seed", seed, least=0),
            device=setting.device.type,
            module=claim.judge.__module__,
            code=code_digest(claim.judge.__module__),
            sizes=own,
            data=file[0],
            data_digest=file[1],
        )
        for seed in every
        for claim, own in fitted
    ]


def _take_data(
    claims: Sequence[Claim], setting: Setting, data: own_data.DataFile
) -> None:
    """Raises `InvalidInput` for claims that take no data, and for data that one of them
    does not take.
    """
    refused = [claim.id for claim in claims if claim.own is None]
    if refused:
        able = [claim.id for claim in all_claims().values() if claim.own is not None]
        raise InvalidInput(
            f"{', '.join(refused[:5])} take(s) no data of a reader: what a claim "
            "predicts is known of the problems that it draws. Those that do: "
            f"{', '.join(able)}."
        )
    for claim in claims:
        claim.problems(setting, (data.X, data.y))


def run(
    jobs: Sequence[Job],
    ledger: Ledger,
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    resume: bool = False,
    progress: bool = False,
) -> Generator[Record, None, None]:
    """Records of the jobs as they finish; new ones are added to `ledger` at once.

    executor: what runs the jobs, such as a pool of the standard library, of loky,
    mpi4py or Dask; it stays open.
        None: processes of our own, `workers` at a time (one a core), of which any may
        die and be replaced.
    resume: results in `ledger` of this code, without an error, are not computed again
    and come first.

    A job that gives no evidence, since its claim raises or its process dies, has a
    record with `error`. Closing the iterator ends our own processes; of another
    executor it cancels what has not begun. Raises `InvalidInput` for what is no
    executor, and `ledger.NotKept` where a result cannot be written.
    """
    found = [_usable(ledger.find(job)) if resume else None for job in jobs]
    todo = [job for job, record in zip(jobs, found, strict=True) if record is None]
    kept = [record for record in found if record is not None]
    source = _answers(todo, executor, workers or default_workers())
    yield from kept
    with (
        tqdm(
            total=len(jobs),
            initial=len(kept),
            disable=not progress,
            unit="run",
            file=sys.stderr,
        ) as bar,
        contextlib.closing(source) as answers,
    ):
        for job, answer in answers:
            record = _broken(job, answer) if isinstance(answer, str) else answer
            record = ledger.add(job, record)
            bar.set_postfix_str(f"{job.claim}, seed {job.seed}")
            bar.update()
            yield record


def _usable(record: Record | None) -> Record | None:
    """A result that needs no second run."""
    return None if record is None or "error" in record else record


def _answers(todo: Sequence[Job], executor: Executor | None, workers: int) -> Answers:
    if executor is None:
        return pool.run_all(todo, workers)
    if not isinstance(executor, Executor):
        raise InvalidInput(
            f"executor is {executor!r}, expected an object of a class of "
            "concurrent.futures.Executor, such as ProcessPoolExecutor(4)."
        )
    return _submitted(todo, executor)


def _submitted(todo: Sequence[Job], executor: Executor) -> Answers:
    """Each job with what the executor made of it, as they finish."""
    waiting: dict[Future[Record | str], Job] = {}
    try:
        for job in todo:
            future = _submit(executor, job)
            if future.done():
                yield job, _answer(future)
            else:
                waiting[future] = job
        for future in as_completed(list(waiting)):
            yield waiting.pop(future), _answer(future)
    finally:
        for future in waiting:
            future.cancel()


def _submit(executor: Executor, job: Job) -> Future[Record | str]:
    try:
        return executor.submit(run_job, job)
    except BrokenExecutor as error:  # one of the jobs before has ended its process
        failed: Future[Record | str] = Future()
        failed.set_exception(error)
        return failed


def _answer(future: Future[Record | str]) -> Record | str:
    try:
        return future.result()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one lost job must not lose the others' results
        return f"{type(error).__name__}: {error}".removesuffix(": ")


def run_job(job: Job) -> Record | str:
    """The record of one job; where the claim raises, what it said."""
    try:
        claim = _claim(job)
        if code_digest(job.module) != job.code:
            return "its code was changed while the run went on"
        setting = Setting(job.preset, job.seed, torch.device(job.device))
        own = sizes.fitting(claim, job.preset, job.sizes)
        record = claim.verify(setting, data=_data(job), **own).as_dict()
        return dict(_plain(record | {"sizes": own}))
    except Exception as error:  # noqa: BLE001 - one broken claim must not lose the others' results
        return f"{type(error).__name__}: {error}"


def _data(job: Job) -> tuple[object, object] | None:
    if not job.data:
        return None
    file = own_data.read(job.data)
    if file.digest != job.data_digest:
        raise InvalidInput(f"{job.data} was changed while the run went on.")
    return file.X, file.y


def _claim(job: Job) -> Claim:
    found = getattr(importlib.import_module(job.module), job.claim.replace("-", "_"))
    if not isinstance(found, Claim):
        raise TypeError(f"{job.module} has no claim {job.claim}")
    return found


def _broken(job: Job, error: str) -> Record:
    """The record of a claim that gave no evidence: it does not hold, and says why."""
    claim = _claim(job)
    return {
        "id": claim.id,
        "page": claim.page,
        "kind": claim.kind,
        "holds": False,
        "checks": [],
        "control": {"name": "not run", "measured": None, "refuted": False},
        "notes": {},
        "broken": [],
        "error": error,
        "seed": job.seed,
        "preset": job.preset,
        "device": job.device,
        "seconds": None,
        "sizes": _plain(dict(job.sizes)),
    }


def _plain(value: Any) -> Any:
    """What JSON can hold; it has no NaN or infinity, which become null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise TypeError(
        f"a record holds a {type(value).__name__}, expected numbers and text"
    )


def single_thread() -> None:
    """A worker computes on one core."""
    torch.set_num_threads(1)


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
