"""Sharpness along training at the edge of stability: warm Lanczos against PyHessian and
curvlinops with eigsh.

A network 64-40-40-10 on 500 digits, 25 steps of gradient descent between checkpoints.
Every route computes the largest Hessian eigenvalue at all of them, in turn. Its error
is the largest relative distance to a value that is certified by its residual. PyHessian
and curvlinops are left out where they are missing; they are not among the requirements
(`pip install --no-deps pyhessian curvlinops-for-pytorch backpack-for-pytorch einops
einconv linear_operator`, and what these ask for).
"""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.sharpness import Sharpness, largest_eigenvalues
from ibcore.models.network import Network
from ibcore.problems.digits import digits_split

WIDTHS, EXAMPLES, STEP_SIZE = (40, 40), 500, 0.1
OUTPUTS = 10  # over which PyTorch's MSELoss takes a mean and Square() a sum
FIRST, CHECKPOINTS, APART = 2600, 20, 25
LOOSE, TIGHT = 1e-3, 1e-5

Route = Callable[[Tensor], float]
"""The largest eigenvalue at parameters (1, P); a route may remember what it found before."""


@dataclass(frozen=True)
class Task:
    """What is trained, and the parameters (C, 1, P) at the checkpoints."""

    objective: Objective
    checkpoints: Tensor

    @classmethod
    def train(cls) -> Task:
        data = digits_split(EXAMPLES, 100, torch.Generator().manual_seed(0))
        labels = nn.functional.one_hot(data.y_train, OUTPUTS).double()
        network = Network(data.X_train, WIDTHS, out=OUTPUTS)
        objective = Objective(network, Square(), labels)
        start = network.initial(1, torch.Generator().manual_seed(1))
        stops = [FIRST + APART * k for k in range(CHECKPOINTS)]
        run = descend(objective, start, constant(STEP_SIZE), steps=stops)
        return cls(objective, run.theta)

    def module(self, theta: Tensor) -> nn.Module:
        """The same network as a module of PyTorch, whose parameters have the same
        order, at theta (1, P).
        """
        sizes = (self.objective.model.inputs.shape[-1], *WIDTHS, OUTPUTS)
        layers: list[nn.Module] = []
        for rows, columns in zip(sizes[1:], sizes, strict=False):
            layers += [nn.Linear(columns, rows), nn.Tanh()]
        module = nn.Sequential(*layers[:-1]).double()
        vector_to_parameters(theta[0], module.parameters())
        return module

    @property
    def data(self) -> tuple[Tensor, Tensor]:
        return self.objective.model.inputs, self.objective.targets


def run() -> Iterator[str]:
    """Time over that of the warm iteration, and the error, of every route."""
    task = Task.train()
    truth = [_certified(task, theta) for theta in task.checkpoints]
    yield f"sharpness times step size: {min(truth) * STEP_SIZE:.2f} to {max(truth) * STEP_SIZE:.2f}"
    results = {name: _measure(route, task, truth) for name, route in _routes(task)}
    ours = results.pop("warm Lanczos")
    yield f"warm Lanczos: {ours[0] * 1e3:.1f} ms, error {ours[1]:.0e}"
    for name, (seconds, error) in results.items():
        yield f"{name}: {seconds / ours[0]:.1f} x the time, error {error:.0e}"


def _certified(task: Task, theta: Tensor) -> float:
    product = task.objective.curvature(theta)
    start = torch.ones_like(theta)
    found = largest_eigenvalues(product, start, tolerance=1e-13, most=150)
    if not bool(found.residuals[0, 0] < 1e-6 * found.values[0, 0]):
        message = "the reference eigenvalue is not resolved"
        raise RuntimeError(message)
    return float(found.values[0, 0])


def _measure(route: Route, task: Task, truth: list[float]) -> tuple[float, float]:
    """Seconds a checkpoint after the first, which starts cold, and the largest relative
    error of these.
    """
    route(task.checkpoints[0])
    began = time.perf_counter()
    values = [route(theta) for theta in task.checkpoints[1:]]
    seconds = (time.perf_counter() - began) / len(values)
    errors = [
        abs(value / true - 1) for value, true in zip(values, truth[1:], strict=True)
    ]
    return seconds, max(errors)


def _routes(task: Task) -> Iterator[tuple[str, Route]]:
    yield "warm Lanczos", _warm(task)
    yield "cold Lanczos", _cold(task)
    pyhessian = _optional("pyhessian")
    if pyhessian is not None:
        yield "PyHessian, tol 1e-3 (its default)", _pyhessian(pyhessian, task, LOOSE)
        yield "PyHessian, tol 1e-5", _pyhessian(pyhessian, task, TIGHT)
    curvlinops = _optional("curvlinops")
    if curvlinops is not None:
        yield "curvlinops, warm eigsh, tol 1e-3", _curvlinops(curvlinops, task, LOOSE)
        yield "curvlinops, warm eigsh, tol 1e-5", _curvlinops(curvlinops, task, TIGHT)


def _optional(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


def _warm(task: Task) -> Route:
    watch = Sharpness()
    return lambda theta: float(watch(task.objective.at(theta), torch.arange(1)))


def _cold(task: Task) -> Route:
    def route(theta: Tensor) -> float:
        start = torch.randn(
            theta.shape, generator=torch.Generator().manual_seed(2), dtype=theta.dtype
        )
        product = task.objective.curvature(theta)
        return float(largest_eigenvalues(product, start).values[0, 0])

    return route


def _pyhessian(pyhessian: Any, task: Task, tolerance: float) -> Route:
    def route(theta: Tensor) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hessian = pyhessian.hessian(
                task.module(theta), nn.MSELoss(), data=task.data, cuda=False
            )
            values, _ = hessian.eigenvalues(maxIter=1000, tol=tolerance)
        return OUTPUTS * float(values[0])

    return route


def _curvlinops(curvlinops: Any, task: Task, tolerance: float) -> Route:
    before = None

    def route(theta: Tensor) -> float:
        nonlocal before
        module = task.module(theta)
        operator = curvlinops.HessianLinearOperator(
            module,
            nn.MSELoss(),
            list(module.parameters()),
            [task.data],
            check_deterministic=False,
        )
        values, vectors = eigsh(
            operator.to_scipy(), k=1, which="LA", tol=tolerance, v0=before
        )
        before = vectors[:, 0]
        return OUTPUTS * float(values[0])

    return route
