"""Where results are kept: one folder, one file of JSON lines, to which runs only
append.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ibcore import provenance
from ibcore.validation import InvalidInput

Record = dict[str, Any]
SCHEMA = 1
NAME = "results.jsonl"
EARLIER = "*-seed*-*.jsonl"  # the files of ibcore before schema 1


class NotKept(OSError):
    """A result that cannot be written to the folder, with a message for the user."""


@dataclass(frozen=True)
class Job:
    """One run of a claim: what is run (`key`) and with which code.

    `module` is the one that defines the claim, and `code` its digest. `sizes` holds the
    sizes that differ from the preset's. `data` is the file with a reader's own data,
    and `data_digest` that of its bytes; both are empty where the claim draws its
    problems.
    """

    claim: str
    preset: str
    seed: int
    device: str
    module: str
    code: str
    sizes: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    data_digest: str = ""

    @property
    def key(self) -> dict[str, Any]:
        told = asdict(self)
        names = ("claim", "preset", "seed", "device", "sizes")
        own = {"data": self.data_digest} if self.data else {}
        return {name: told[name] for name in names} | own


class Ledger:
    """The results in a folder; several runs may add to it at the same time.

    A line is trusted only if its checksum is right. A result counts for a job only if
    key, code and library versions are the same; the newest such line wins. Nothing is
    ever removed. Raises `InvalidInput` where the folder cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / NAME
        self._found: dict[tuple[str, str], tuple[int, Record]] = {}
        self._keys: set[str] = set()
        self._end = self._lines = 0
        self._damaged: list[int] = []
        self._foreign: list[int] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._look()
        except OSError as error:
            raise InvalidInput(
                f"results cannot be written to {directory} "
                f"({error.strerror or error}). Pass another --out."
            ) from error
        self._start = self._end

    @property
    def left_out(self) -> list[str]:
        """One sentence for each kind of line or file in the folder that is not used."""
        old = sorted(path.name for path in self.directory.glob(EARLIER))
        said = []
        if self._damaged:
            said.append(
                f"{_lines(self._damaged)} of {self.path} cannot be read or were "
                "changed: left out, and kept in the file"
            )
        if self._foreign:
            said.append(
                f"{_lines(self._foreign)} of {self.path} were written by another "
                "version of ibcore: left out, and kept in the file"
            )
        if old:
            said.append(
                f"{', '.join(old)} in {self.directory} stems from an earlier version "
                "of ibcore: not read, and left as it is"
            )
        return said

    def find(self, job: Job) -> Record | None:
        """The newest result of this job, computed with the same code and library
        versions.
        """
        _, record = self._found.get(_identity(job), (0, None))
        return record

    def outdated(self, job: Job) -> bool:
        """The folder has results of this job, but of other code or library versions
        only.
        """
        return _canonical(job.key) in self._keys and self.find(job) is None

    def add(self, job: Job, record: Record) -> Record:
        """Append a result, and return the one that the folder now holds for the job.

        That is the result of another run where one has added it, without an error,
        since this ledger was opened. Raises `NotKept` where it cannot be written; no
        part of it stays behind.
        """
        line = {
            "schema": SCHEMA,
            "key": job.key,
            "code": job.code,
            "versions": provenance.versions(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "record": record,
        }
        line["checksum"] = _checksum(line)
        try:
            with self._locked() as descriptor:
                self._look()
                place, twin = self._found.get(_identity(job), (-1, {"error": ""}))
                if place >= self._start and "error" not in twin:
                    return twin
                _append(descriptor, json.dumps(line, allow_nan=False).encode() + b"\n")
                self._look()
        except OSError as error:
            raise NotKept(
                f"the result of {job.claim} cannot be written to {self.path} "
                f"({error.strerror or error})"
            ) from error
        return record

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self.path, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _look(self) -> None:
        """Index the lines that were added since the last look."""
        with self.path.open("rb") as file:
            file.seek(self._end)
            for text in file:
                self._index(text)
                self._end += len(text)
                self._lines += text.count(b"\n")

    def _index(self, text: bytes) -> None:
        line = _parsed(text)
        if line is None:
            if text.strip():
                self._damaged.append(self._lines + 1)
        elif line.get("schema") != SCHEMA:
            self._foreign.append(self._lines + 1)
        else:
            key, made = _canonical(line["key"]), _made(line["code"], line["versions"])
            self._keys.add(key)
            self._found[key, made] = (self._end, line["record"])


def _append(descriptor: int, line: bytes) -> None:
    """Write one line after the last one, whole or not at all."""
    end = os.fstat(descriptor).st_size
    if end and os.pread(descriptor, 1, end - 1) != b"\n":
        line = b"\n" + line
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def _parsed(text: bytes) -> dict[str, Any] | None:
    """The line; None if it is no object, or one of this schema with another checksum."""
    try:
        line = json.loads(text.decode())
        if not isinstance(line, dict):
            return None
        if line.get("schema") == SCHEMA and line.pop("checksum", "") != _checksum(line):
            return None
    except (ValueError, RecursionError):
        return None
    return line


def _identity(job: Job) -> tuple[str, str]:
    return _canonical(job.key), _made(job.code, provenance.versions())


def _made(code: str, versions: Mapping[str, str]) -> str:
    return _canonical([code, versions])


def _checksum(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(line).encode()).hexdigest()[:16]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _lines(numbers: Sequence[int]) -> str:
    first = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return f"{len(numbers)} line(s) ({first})"
