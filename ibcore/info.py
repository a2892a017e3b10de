"""The facts that a report of a bug needs: versions, BLAS, threads, processor."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cvxpy
import torch
from threadpoolctl import threadpool_info

from ibcore import __version__
from ibcore.provenance import version
from ibcore.verify import default_workers

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "cvxpy", "matplotlib")
SOLVERS = ("clarabel", "highspy", "osqp", "scs")
CPUINFO = Path("/proc/cpuinfo")
SETTINGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "IBCORE_THREADS",
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "OPENBLAS_CORETYPE",
    "CUDA_VISIBLE_DEVICES",
)


def facts() -> dict[str, dict[str, Any]]:
    """What the numbers may depend on, in groups; values are text, numbers and lists of
    text.
    """
    return {
        "versions": {
            "ibcore": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in (*PACKAGES, *SOLVERS)},
        },
        "solvers of cvxpy": {"installed": sorted(cvxpy.installed_solvers())},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "cores for this process": default_workers(),
        },
        "torch": {
            "cpu capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "blas": "MKL" if torch.backends.mkl.is_available() else "not MKL",
        },
        "thread pools": {
            f"{pool['prefix']} ({_owner(pool['filepath'])})": _pool(pool)
            for pool in threadpool_info()
        },
        "cuda": _cuda(),
        "environment": {name: os.environ.get(name, "not set") for name in SETTINGS},
    }


def as_text(groups: dict[str, dict[str, Any]]) -> str:
    """The facts as aligned lines."""
    width = max(len(name) for group in groups.values() for name in group)
    lines: list[str] = []
    for title, group in groups.items():
        lines.append(title)
        for name, value in group.items():
            told = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"  {name:<{width}}  {told}")
    return "\n".join(lines)


def _owner(path: str) -> str:
    """The folder in site-packages from which a library was loaded, such as numpy.libs."""
    parts = Path(path).parts
    place = parts.index("site-packages") + 1 if "site-packages" in parts else -1
    return parts[place]


def _pool(pool: dict[str, Any]) -> str:
    built = [str(pool[key]) for key in ("version", "architecture") if pool.get(key)]
    return ", ".join([f"{pool['num_threads']} thread(s)", *built])


def _processor() -> str:
    """The name of the processor, as far as the system tells it."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    sysctl = shutil.which("sysctl") if platform.system() == "Darwin" else None
    if sysctl:
        told = subprocess.run(  # noqa: S603 - a fixed question to the system
            [sysctl, "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def _cuda() -> dict[str, Any]:
    """The CUDA build of torch and the devices that it sees."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "built for": torch.version.cuda or "no CUDA",
        "devices": [torch.cuda.get_device_name(index) for index in range(count)]
        or "none",
    }
