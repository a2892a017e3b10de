"""The records that notebooks leave for the book's ledger."""

from __future__ import annotations

import json

import pytest

from ibcore.claims import all_claims
from ibcore.report import book_records, show_summary
from ibcore.report.page import table_html
from ibcore.report.text import tally


@pytest.fixture(scope="module")
def verdict():
    return all_claims()["gd-convex-rate"].verify(steps=20)


def test_a_summary_leaves_the_record_that_verify_prints(verdict, tmp_path, monkeypatch):
    folder = tmp_path / "not" / "there"
    monkeypatch.setenv(book_records.FOLDER, str(folder))
    show_summary(verdict)
    [(name, record)] = book_records.kept(folder).items()
    assert name == "gd-convex-rate"
    assert record.record == json.loads(json.dumps(verdict.as_dict()))
    assert record.stands == verdict.stands
    assert record.tally == tally(verdict)
    assert record.table == table_html(verdict)


def test_without_a_folder_nothing_is_written(verdict, tmp_path, monkeypatch):
    monkeypatch.delenv(book_records.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    show_summary(verdict)
    assert list(tmp_path.iterdir()) == []


def test_a_later_run_replaces_the_record(verdict, tmp_path, monkeypatch):
    monkeypatch.setenv(book_records.FOLDER, str(tmp_path))
    (tmp_path / "gd-convex-rate.json").write_text("cut off", encoding="utf-8")
    book_records.keep(verdict)
    assert book_records.kept(tmp_path)["gd-convex-rate"].stands
