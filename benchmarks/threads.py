"""The calls of the page on logistic regression as a reader's own program makes them,
against one thread by setting.

Each pair is two fresh processes, one after the other: without any variable for threads,
and with OMP_NUM_THREADS=1 and its like, as fast as these calls can be on a busy
machine. `without` is the first process with IBCORE_THREADS=0, where the package does
not limit threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

REPEATS = 3
ONE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
CALLS = """
import time
import torch
from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.explore import Choice, explore
from ibcore.losses import Logistic
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.logistic_regression.claims import logistic_max_margin
from ibcore.pages.classification.logistic_regression.explorers import LOSSES, POWERS, explore_training
from ibcore.pages.classification.logistic_regression.routes import three_routes
from ibcore.problems.separable import planted_margin

start = time.perf_counter()
explore(explore_training, title="t", power=Choice("time", POWERS), loss=Choice("loss", list(LOSSES)))
data = planted_margin(50, 20, 0.1, torch.Generator().manual_seed(1))
max_margin(data.X, data.y)
flow(Linear(data.signed), Logistic(), torch.zeros(1, 20).double(), log_loss=[-1e1, -1e6, -1e10])
three_routes(planted_margin(50, 10, 0.1, torch.Generator().manual_seed(3)), steps=1000)
logistic_max_margin.verify(Setting())
print(time.perf_counter() - start)
"""


def run() -> Iterator[str]:
    """Median ratios on an idle machine and with a busy process on every core."""
    plain = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")}
    for name, busy in (("idle", 0), ("a busy process on every core", os.cpu_count())):
        with ExitStack() as stack:
            for _ in range(busy or 0):
                loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
                stack.callback(loop.wait)
                stack.callback(loop.kill)
            triples = [
                [_seconds(plain | more) for more in ({}, ONE, {"IBCORE_THREADS": "0"})]
                for _ in range(REPEATS)
            ]
        ratio = median(own / one for own, one, _ in triples)
        without = median(unlimited / one for _, one, unlimited in triples)
        yield f"{name}: {ratio:.2f} x the time on one thread (without: {without:.2f})"


def _seconds(env: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
