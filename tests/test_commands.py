"""The two commands on any machine: the Makefile, the versions that it accepts, and the
hosts of the workflow.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
# Stands for a Python: it makes an environment of itself, installs nothing and asks the
# real one the rest.
PYTHON = """#!/bin/sh
echo "$*" >> "{folder}/log"
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  "-m pip") ;;
  *) PYTHONPATH="{folder}" exec "{python}" "$@" ;;
esac
"""


@pytest.fixture
def project(tmp_path):
    """What `make env` reads, in a folder of its own whose name has a space."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def python_in(folder, version=sys.version_info[:2]):
    """A stand-in for a Python that says it has this version."""
    folder.mkdir()
    path = folder / "python3"
    path.write_text(PYTHON.format(folder=folder, python=sys.executable))
    path.chmod(0o755)
    pretend = f"import sys\nsys.version_info = {tuple(version)}\n"
    (folder / "sitecustomize.py").write_text(pretend)
    return path


def make(project, *arguments):
    return subprocess.run(
        ["make", *arguments], cwd=project, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_a_python_with_a_space_in_its_path_is_used(project, tmp_path, version):
    python = python_in(tmp_path / "my python", version)
    done = make(project, "env", f"PYTHON={python}")
    assert done.returncode == 0, done.stdout + done.stderr
    log = (tmp_path / "my python" / "log").read_text()
    assert "-m venv .venv" in log
    assert "-c constraints.txt" in log


def test_a_python_that_is_not_there_is_named_with_a_remedy(project, tmp_path):
    done = make(project, "env", f"PYTHON={tmp_path / 'no python'}")
    assert done.returncode != 0
    assert f"There is no '{tmp_path / 'no python'}' here" in done.stderr
    assert "make PYTHON=/path/to/python" in done.stderr


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_outside_the_range_is_refused_in_words(project, tmp_path, version):
    python = python_in(tmp_path / "my python", version)
    done = make(project, "env", f"PYTHON={python}")
    assert done.returncode != 0
    assert f"is Python {version[0]}.{version[1]}; this project runs on" in done.stderr


def test_the_versions_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    assert "(3, 11) <= v < (3, 15)" in (ROOT / "Makefile").read_text()
    assert workflow()["jobs"]["test"]["strategy"]["matrix"]["python"] == VERSIONS
    assert "Python 3.11 to 3.14" in (ROOT / "README.md").read_text()


def test_pytorch_is_pinned_in_the_constraints_alone():
    pinned = re.compile(r"torch==[\d.]+", re.ASCII)
    files = ("pyproject.toml", "requirements.txt", "constraints.txt")
    assert [bool(pinned.search((ROOT / name).read_text())) for name in files] == [
        False,
        False,
        True,
    ]


def workflow():
    path = ROOT / ".github" / "workflows" / "test.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_runs_the_two_commands_everywhere():
    job = workflow()["jobs"]["test"]
    systems = job["strategy"]["matrix"]["os"]
    assert {name.rstrip("-.0123456789") for name in systems} >= {"ubuntu", "macos"}
    assert any(name.endswith("-arm") for name in systems)
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["make book", "make test"]


def test_the_workflow_may_read_the_files_and_no_more():
    assert workflow()["permissions"] == {"contents": "read"}
    steps = workflow()["jobs"]["test"]["steps"]
    assert [re.search(r"@v\d+$", s["uses"]) is None for s in steps if "uses" in s] == [
        False,
        False,
    ]
    assert steps[0]["with"]["persist-credentials"] is False
