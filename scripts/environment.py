"""The environment in which notebooks run: this Python's kernel, one thread, nothing of the user's own settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# A kernel warns about its loopback socket on every start, and parallel kernels would share one history file.
KERNEL_CONFIG = "c.IPKernelApp.log_level = 40\nc.HistoryManager.enabled = False\n"
BUILDING = "IBCORE_BUILDING_BOOK"


def notebook_environment(*, building: bool) -> dict[str, str]:
    """The environment variables for a process that starts kernels.

    JUPYTER_PATH leads to this environment first, so `python3` is its kernel whatever else the user
    has installed; PYTHONPATH leads to the package beside these notebooks. building: explorers write
    themselves as HTML (set by the book's build only).
    """
    ipython = Path(sys.prefix) / "share" / "ipython"
    profile = ipython / "profile_default" / "ipython_kernel_config.py"
    if not profile.exists():
        profile.parent.mkdir(parents=True, exist_ok=True)
        profile.write_text(KERNEL_CONFIG, encoding="utf-8")
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in (BUILDING, "PYTHONWARNINGS", "MPLBACKEND")
    }
    env |= dict.fromkeys(THREADS, "1")
    env["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")
    env["JUPYTER_PLATFORM_DIRS"] = "1"
    env["IPYTHONDIR"] = str(ipython)
    env["PYTHONPATH"] = str(ROOT)
    env["PYTHONHASHSEED"] = "0"
    if building:
        env[BUILDING] = "1"
    return env
