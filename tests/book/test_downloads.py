"""A downloaded page gets exactly the package that the book was built with."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import venv
import zipfile
from pathlib import Path

import downloads
import nbformat
import pytest
import serve_book
from environment import ROOT, notebook_environment

# Runs a notebook, and prints what its cells show or the error that ends it.
RUN = """
import json, sys, nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
notebook = nbformat.read(sys.argv[1], as_version=4)
try:
    NotebookClient(notebook, kernel_name=sys.argv[2], timeout=300).execute()
except CellExecutionError:
    pass
print(json.dumps([cell.get("outputs", []) for cell in notebook.cells]))
"""
WHERE = "import ibcore; print(ibcore.__version__, ibcore.__file__)"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return downloads.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A Python that has everything which the package needs, and not the package;
    returns its kernel's name.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    needed = folder / "needed"
    needed.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "ibcore" not in path.name and path.suffix != ".pth":
            (needed / path.name).symlink_to(path)
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "needed.pth").write_text(f"{needed}\n", encoding="utf-8")
    kernel = folder / "jupyter" / "kernels" / "elsewhere" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(
        json.dumps({"argv": command, "display_name": "E", "language": "python"}),
        encoding="utf-8",
    )
    return folder / "jupyter"


def shown(path: Path, jupyter: Path | None = None) -> list[str]:
    """The text that each cell of the notebook at `path` shows, run in its own folder."""
    env = notebook_environment(building=False) | {"PIP_NO_INDEX": "1"}
    env |= {"JUPYTER_PATH": str(jupyter)} if jupyter else {}
    if jupyter:
        del env["PYTHONPATH"]
    run = subprocess.run(
        [sys.executable, "-c", RUN, path.name, "elsewhere" if jupyter else "python3"],
        cwd=path.parent,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return ["".join(map(words, cell)) for cell in json.loads(run.stdout)]


def words(output: dict) -> str:
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def page(folder: Path) -> Path:
    """The landing page as it is downloaded into `folder`, with a last cell that tells
    what it ran with.
    """
    text = downloads.downloadable(ROOT / "book" / "index.ipynb")
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(WHERE))
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "page.ipynb")
    return folder / "page.ipynb"


def test_a_wheel_is_the_same_at_any_time_and_names_its_code(wheel, tmp_path):
    assert wheel.name == downloads.wheel_name()
    again = downloads.build_wheel(tmp_path)
    assert again.read_bytes() == wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
        module = archive.read("ibcore/__init__.py").decode()
    version = downloads.package_version()
    assert re.findall(r'^__version__ = "(.+)"$', module, re.MULTILINE) == [version]
    tracked = {
        path.relative_to(ROOT).as_posix() for path in downloads.files(ROOT / "ibcore")
    }
    assert tracked == {name for name in inside if ".dist-info/" not in name}


def test_a_version_changes_with_the_code_and_with_nothing_else(tmp_path):
    for part in downloads.PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    version = downloads.package_version(tmp_path)
    assert version == downloads.package_version()
    (tmp_path / "README.md").write_text("other", encoding="utf-8")
    trace = tmp_path / "ibcore" / "__pycache__" / "new.pyc"
    trace.parent.mkdir(exist_ok=True)
    trace.write_text("x", encoding="utf-8")
    assert downloads.package_version(tmp_path) == version
    module = tmp_path / "ibcore" / "validation.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert downloads.package_version(tmp_path) != version


def test_a_downloaded_page_gets_the_package_beside_it_and_runs(
    wheel, elsewhere, tmp_path
):
    missing = shown(page(tmp_path / "alone"), elsewhere)
    assert "ModuleNotFoundError: Put ibcore-" in missing[0]
    assert "download menu" in missing[0]
    assert missing[-1] == ""
    notebook = page(tmp_path / "together")
    shutil.copy(wheel, notebook.parent)
    for _ in range(2):
        texts = shown(notebook, elsewhere)
        version, where = texts[-1].split()
        assert version == downloads.package_version()
        assert Path(where).is_relative_to(elsewhere.parent / "env")
        assert any("Explorer" in text for text in texts)


def test_a_checkout_is_not_replaced_by_a_page(tmp_path):
    texts = shown(page(tmp_path))
    assert f"ibcore {downloads.package_version()}, and installed is" in texts[0]
    assert "%pip install" in texts[0]
    assert str(ROOT) in texts[-1]


def test_a_page_of_a_served_book_gets_the_package_from_its_address(
    wheel, tmp_path, monkeypatch
):
    (tmp_path / "html" / "_static").mkdir(parents=True)
    shutil.copy(wheel, tmp_path / "html" / "_static")
    monkeypatch.setattr(serve_book, "HTML", tmp_path / "html")
    with serve_book.server(18_100) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        source = downloads.opening(address=address).source
        arguments = re.search(r"%pip install (.*)", source)[1]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "download"),
                *("--no-deps", "--no-index", "--no-cache-dir"),
                *shlex.split(arguments),
            ],
            cwd=tmp_path,
            check=True,
        )
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_a_download_keeps_its_page():
    path = ROOT / "book" / "index.ipynb"
    cells = nbformat.reads(downloads.downloadable(path), as_version=4).cells
    assert "pip install" in cells[0].source
    assert cells[1:] == nbformat.read(path, as_version=4).cells
