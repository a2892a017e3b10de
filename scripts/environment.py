"""The environment in which notebooks run: this Python's kernel, nothing of the user's
own settings.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A kernel warns about its loopback socket on every start, and parallel kernels would
# share one history file.
KERNEL_CONFIG = "c.IPKernelApp.log_level = 40\nc.HistoryManager.enabled = False\n"
MATPLOTLIB_CONFIG = "# Matplotlib's defaults: the book's figures name what differs.\n"
BUILDING = "IBCORE_BUILDING_BOOK"
KEEPING = "IBCORE_BOOK_RECORDS"
RECORDS = ROOT / "_build" / "records"
# What would let the user's own settings into a kernel.
LEFT_OUT = {
    BUILDING,
    KEEPING,
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
    "MPLBACKEND",
    "JUPYTER_CONFIG_PATH",
}


def notebook_environment(*, building: bool) -> dict[str, str]:
    """The environment variables for a process that starts kernels.

    JUPYTER_PATH leads to this environment first, so `python3` is its kernel whatever
    else the user has installed; PYTHONPATH leads to the package beside these notebooks.
    IPython, Jupyter and Matplotlib keep their settings and files in folders of ours, so
    HOME is neither read nor written.
    building: explorers write themselves as HTML, and the records of claims are kept (set
    by the book's build only).
    """
    env = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    env |= _jupyter()
    env |= _matplotlib(env)
    env["PYTHONPATH"] = str(ROOT)
    env["PYTHONHASHSEED"] = "0"
    if building:
        env[BUILDING] = "1"
        env[KEEPING] = str(RECORDS)
    return env


def _written(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


@functools.cache
def _scratch() -> Path:
    """A folder that this process removes when it ends, for the sockets' keys of running
    kernels.
    """
    folder = Path(tempfile.mkdtemp(prefix="ibcore-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _jupyter() -> dict[str, str]:
    share = Path(sys.prefix) / "share"
    profile = share / "ipython" / "profile_default" / "ipython_kernel_config.py"
    _written(profile, KERNEL_CONFIG)
    own = {
        "IPYTHONDIR": str(share / "ipython"),
        "JUPYTER_PATH": str(share / "jupyter"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    for kind in ("config", "data", "runtime"):
        folder = _scratch() / kind
        folder.mkdir(exist_ok=True)
        own[f"JUPYTER_{kind.upper()}_DIR"] = str(folder)
    return own


def _matplotlib(env: dict[str, str]) -> dict[str, str]:
    """Matplotlib's folder with its defaults, its list of fonts made here once.

    Made by the first kernel that draws, the list would be announced on that page's
    stderr.
    """
    folder = Path(sys.prefix) / "share" / "matplotlib" / version("matplotlib")
    settings = _written(folder / "matplotlibrc", MATPLOTLIB_CONFIG)
    own = {"MPLCONFIGDIR": str(folder), "MATPLOTLIBRC": str(settings)}
    if not any(folder.glob("fontlist-*.json")):
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**env, **own, "XDG_CACHE_HOME": str(_scratch() / "cache")},
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return own
