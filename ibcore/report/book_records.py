"""What the book's own notebooks leave behind when the book is built: the record of each
claim, of which the ledger is made.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ibcore.claims import Verdict
from ibcore.report.page import table_html
from ibcore.report.text import tally

FOLDER = "IBCORE_BOOK_RECORDS"  # the environment variable that names the folder


@dataclass(frozen=True)
class BookRecord:
    """A claim as its page ran it.

    record: what `ibcore verify --json` prints.
    tally: the checks by tag in words.
    table: the checks with their bars, and the control, as the page shows them: the HTML
    of `report.page.table_html`.
    """

    record: dict[str, Any]
    tally: str
    table: str

    @property
    def stands(self) -> bool:
        """Every check holds and the control is refuted."""
        return self.record["holds"] and self.record["control"]["refuted"]


def keep(*verdicts: Verdict) -> None:
    """Write the records into the folder that the build of the book names, if one does."""
    name = os.environ.get(FOLDER)
    if not name:
        return
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    for verdict in verdicts:
        kept = BookRecord(verdict.as_dict(), tally(verdict), table_html(verdict))
        path = folder / f"{verdict.claim.id}.json"
        path.write_text(json.dumps(asdict(kept)), encoding="utf-8")


def kept(folder: Path) -> dict[str, BookRecord]:
    """The records in a folder by the claims' ids."""
    return {
        path.stem: BookRecord(**json.loads(path.read_text(encoding="utf-8")))
        for path in folder.glob("*.json")
    }
