"""Notebooks run alike whatever the user's home and settings are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from environment import notebook_environment

# Two pictures, by the book's style and by plain pyplot, and what a kernel takes from
# its user.
CELLS = [
    """
from ibcore.figures import figure
fig, ax = figure()
ax.plot([1, 2, 4], label="a curve")
ax.legend()
fig""",
    """
import matplotlib.pyplot as plt
plt.plot([1, 2, 4])
plt.title("pyplot")
plt.show()""",
    "print('hostile' in globals())",
]
RUN = """
import json, sys, nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(source) for source in json.loads(sys.argv[1])]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
print(json.dumps([cell.outputs for cell in notebook.cells]))
"""
HOSTILE = """
figure.dpi: 10
figure.figsize: 2, 1
savefig.facecolor: red
axes.prop_cycle: cycler('color', ['ff0000'])
lines.linewidth: 9
font.family: monospace
axes.titlelocation: right
"""


def outputs(folder) -> list[list[dict]]:
    """What the cells show in a kernel that is started from an empty folder."""
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(CELLS)],
        env=notebook_environment(building=False),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A home that cannot be written, and settings wherever a user may have them."""
    settings = tmp_path / "settings"
    for name, text in {
        "matplotlib/matplotlibrc": HOSTILE,
        "startup.py": "hostile = True",
        "profile_default/startup/00.py": "hostile = True",
    }.items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, value in {
        "HOME": "/proc/nohome",
        "XDG_CONFIG_HOME": settings,
        "XDG_CACHE_HOME": "/proc/nohome/.cache",
        "XDG_DATA_HOME": "/proc/nohome/.local/share",
        "XDG_RUNTIME_DIR": "/proc/nohome/run",
        "MATPLOTLIBRC": settings / "matplotlib" / "matplotlibrc",
        "MPLCONFIGDIR": settings / "matplotlib",
        "MPLBACKEND": "pdf",
        "IPYTHONDIR": settings,
        "JUPYTER_CONFIG_DIR": "/proc/nohome/.jupyter",
        "JUPYTER_DATA_DIR": "/proc/nohome/.local/share/jupyter",
        "JUPYTER_RUNTIME_DIR": "/proc/nohome/runtime",
        "PYTHONSTARTUP": settings / "startup.py",
        "PYTHONWARNINGS": "error",
    }.items():
        monkeypatch.setenv(name, str(value))
    return settings


def test_a_notebook_shows_the_same_without_a_home_and_under_other_settings(
    tmp_path, request
):
    plain = outputs(tmp_path / "plain")
    assert all("image/png" in cell[-1]["data"] for cell in plain[:2])
    assert plain[2] == [{"name": "stdout", "output_type": "stream", "text": "False\n"}]
    request.getfixturevalue("hostile")
    assert outputs(tmp_path / "other") == plain


def test_matplotlib_is_silent_without_a_home(hostile):
    run = subprocess.run(
        [sys.executable, "-c", "import matplotlib.pyplot"],
        env=notebook_environment(building=True),
        cwd=hostile,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_folders_of_kernels_can_be_written(hostile):  # noqa: ARG001
    env = notebook_environment(building=True)
    for name in (
        "MPLCONFIGDIR",
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
    ):
        assert os.access(env[name], os.W_OK), name
