"""The book's build: what makes it run again, and what it refuses to call a book."""

from __future__ import annotations

import json
import shutil

import build_book
import find_chromium
import pytest
import serve_book


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A built book of two pages in a folder of its own."""
    for name, text in {
        "ibcore/a.py": "1",
        "requirements.txt": "x",
        "book/p.md": "# P",
        "_toc.yml": "root: book/p",
        "_build/.jupyter_cache/c": "",
        "_build/.doctrees/d": "",
        "_build/records/c.json": "",
        "_build/html/index.html": "",
        "_build/html/search.html": "",
        "_build/html/book/p.html": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, value in {
        "BUILD": "_build",
        "HTML": "_build/html",
        "DIGESTS": "_build/digests.json",
        "RECORDS": "_build/records",
    }.items():
        monkeypatch.setattr(build_book, name, tmp_path / value)
    monkeypatch.setattr(build_book, "pages", lambda: ["book/p"])
    return tmp_path


def digests(tree):
    return {
        "code": build_book.digest(build_book.CODE, tree),
        "text": build_book.digest(build_book.TEXT, tree),
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ibcore/a.py", "code"),
        ("ibcore/static/new.css", "code"),
        ("requirements.txt", "code"),
        ("book/p.md", "text"),
        ("_toc.yml", "text"),
    ],
)
def test_a_change_shows_in_its_digest_and_no_other(tree, name, part):
    before = digests(tree)
    path = tree / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed", encoding="utf-8")
    assert {key for key in before if digests(tree)[key] != before[key]} == {part}


def test_traces_of_running_are_no_change(tree):
    before = digests(tree)
    for name in ("ibcore/__pycache__/a.pyc", "book/.ipynb_checkpoints/p.ipynb"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("x", encoding="utf-8")
    assert digests(tree) == before


def test_a_book_is_current_only_with_its_digests_and_all_pages(tree):
    assert not build_book.is_current(digests(tree))
    build_book.DIGESTS.write_text(json.dumps(digests(tree)), encoding="utf-8")
    assert build_book.is_current(digests(tree))
    (tree / "_build/html/book/p.html").unlink()
    assert not build_book.is_current(digests(tree))


def test_a_change_of_code_clears_what_was_executed(tree):
    build_book.DIGESTS.write_text(json.dumps({"code": "another"}), encoding="utf-8")
    build_book.clear(digests(tree))
    assert [path.name for path in (tree / "_build").iterdir()] == ["digests.json"]


def test_a_change_of_text_keeps_what_was_executed(tree):
    build_book.DIGESTS.write_text(
        json.dumps({**digests(tree), "text": "another"}), encoding="utf-8"
    )
    build_book.clear(digests(tree))
    assert sorted(path.name for path in (tree / "_build").iterdir()) == [
        ".jupyter_cache",
        "digests.json",
        "records",
    ]
    assert not build_book.is_current(digests(tree))


def test_without_its_records_a_notebook_runs_again(tree):
    build_book.DIGESTS.write_text(json.dumps(digests(tree)), encoding="utf-8")
    shutil.rmtree(build_book.RECORDS)
    build_book.clear(digests(tree))
    assert [path.name for path in build_book.BUILD.iterdir()] == ["digests.json"]


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        (
            '<script src="https://example.org/x.js"></script>',
            "another host for https://example.org/x.js",
        ),
        (
            '<link rel="stylesheet" href="//example.org/x.css">',
            "another host for //example.org/x.css",
        ),
        ('<img src="http://example.org/x.png">', "another host"),
        (
            "<style>@font-face { src: url(https://example.org/f.woff) }</style>",
            "another host for https://example.org/f.woff",
        ),
        ('<div class="output stderr highlight">', "stderr"),
        ("x" * 2_000_000, "2.0 MB"),
    ],
)
def test_a_page_is_refused_for(tmp_path, html, fault):
    (tmp_path / "p.html").write_text(html, encoding="utf-8")
    assert fault in build_book.faults(tmp_path / "p.html")[0]


def test_a_page_may_link_to_other_hosts(tmp_path):
    (tmp_path / "p.html").write_text(
        '<link rel="canonical" href="https://a.org"><a href="https://a.org">a</a>',
        encoding="utf-8",
    )
    assert build_book.faults(tmp_path / "p.html") == []


def test_a_missing_page_is_a_fault(tmp_path):
    assert build_book.faults(tmp_path / "p.html") == ["it was not written"]


def test_a_table_of_contents_lists_its_pages_in_order(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        """
format: jb-book
root: book/index
parts:
  - caption: A
    chapters:
      - file: book/a
        sections:
          - file: book/a/b
  - chapters: [{file: book/c}]
""",
        encoding="utf-8",
    )
    assert build_book.pages(tmp_path / "_toc.yml") == [
        "book/index",
        "book/a",
        "book/a/b",
        "book/c",
    ]


def test_a_port_in_use_is_passed_over():
    with (
        serve_book.server(18_000) as first,
        serve_book.server(first.server_port) as second,
    ):
        assert second.server_port > first.server_port
        assert {first.server_address[0], second.server_address[0]} == {"127.0.0.1"}


def test_a_chromium_that_is_named_wrongly_is_an_error(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/no/such/chromium")
    with pytest.raises(FileNotFoundError, match="Correct it or leave it unset"):
        find_chromium.find()


def test_no_chromium_is_an_error_with_remedies(monkeypatch, capsys):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(find_chromium, "candidates", lambda: iter(()))
    monkeypatch.setattr("sys.argv", ["find_chromium.py"])
    assert find_chromium.main() == 1
    assert "apt-get install chromium" in capsys.readouterr().err
