"""Least squares on weak features: risks with their bias and variance, spectra of the
inputs, gradient descent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics import paces
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.measures.risk import risk_given_inputs, split_bias, squared_risk
from ibcore.models.linear import Linear
from ibcore.oracles.double_descent import weak_features_risk
from ibcore.oracles.least_squares import descent_from_zero, minimum_norm
from ibcore.problems.weak_features import WeakFeatures, equally_weak, prescient
from ibcore.threads import threads

SAMPLES, FEATURES, NOISE = 40, 100, 0.5
FAR = 10
SPECTRA = (SAMPLES // 2, SAMPLES, 2 * SAMPLES)  # numbers of features
BLOCK = 250


def both_problems() -> dict[str, WeakFeatures]:
    """The two orders in which the features are handed to the learner."""
    return {
        "equally weak": equally_weak(FEATURES, noise=NOISE),
        "strongest first": prescient(FEATURES, noise=NOISE),
    }


@dataclass(frozen=True)
class Risks:
    """Of one problem, for C numbers of features and N draws of inputs.

    given: (C, N), risk given the inputs.
    bias, inputs, labels: (C,), estimates of the parts of `RiskParts`, the bias without
    that of the missing features.
    """

    given: Tensor
    bias: Tensor
    inputs: Tensor
    labels: Tensor


@threads()
def measured_risks(
    problems: dict[str, WeakFeatures],
    samples: int,
    counts: Sequence[int],
    repetitions: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> dict[str, Risks]:
    """Risks of the minimum-norm fit, for each problem, on the CPU.

    The fit is linear in the labels: fitted to the n unit label vectors it gives the
    matrix M of w = M y, and M Z beta is the mean of w over labels. All problems see the
    same inputs, drawn in blocks of at most 250.
    """
    features = next(iter(problems.values())).features
    unit = torch.eye(samples, dtype=torch.float64, device=device)
    parts: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in problems}
    for block in _blocks(repetitions):
        inputs = torch.randn(
            block, samples, features, generator=generator, dtype=torch.float64
        ).to(device)
        fits = {p: minimum_norm(inputs[..., :p], unit).weights for p in counts}
        for name, problem in problems.items():
            parts[name].append(_block_parts(problem, inputs, fits))
    return {name: _joined(problems[name], counts, rows) for name, rows in parts.items()}


def _block_parts(
    problem: WeakFeatures, inputs: Tensor, fits: dict[int, Tensor]
) -> tuple[Tensor, ...]:
    """Risks (C, N), |M|_F^2 (C, N) and mean weights over labels less the truth (C, N,
    D).
    """
    beta, count = problem.beta.to(inputs), problem.features
    rows = []
    for p, fit in fits.items():
        Z = inputs[..., :p]
        risk = risk_given_inputs(fit, Z, beta[:p], label_variance(problem, p))
        miss = (fit @ (Z @ beta[:p])[..., None])[..., 0] - beta[:p]
        gain = fit.square().sum((-2, -1))
        rows.append(
            (
                risk.cpu(),
                gain.cpu(),
                torch.nn.functional.pad(miss, (0, count - p)).cpu(),
            )
        )
    return tuple(torch.stack(part) for part in zip(*rows, strict=True))


def _joined(
    problem: WeakFeatures, counts: Sequence[int], rows: Sequence[tuple[Tensor, ...]]
) -> Risks:
    risk, gain, miss = (torch.cat(part, 1) for part in zip(*rows, strict=True))
    variances = risk.new_tensor([label_variance(problem, p) for p in counts])
    bias = split_bias(miss)
    inputs = miss.square().sum(-1).mean(-1) - bias
    return Risks(risk, bias, inputs, variances * gain.mean(-1))


@threads()
def spectra(
    samples: int, repetitions: int, generator: torch.Generator
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Eigenvalues (N, min(n, p)) of the smaller Gram matrix over max(n, p), for each of
    `SPECTRA`.

    Also the least eigenvalue of Z Z^T for p = n + 1, (N,).
    """
    found = []
    for p in (*SPECTRA, samples + 1):
        Z = torch.randn(
            repetitions, samples, p, generator=generator, dtype=torch.float64
        )
        gram = Z @ Z.mT if p > samples else Z.mT @ Z
        found.append(torch.linalg.eigvalsh(gram) / max(samples, p))
    return tuple(found[:-1]), found[-1][:, 0] * (samples + 1)


@threads()
def risk_during_descent(
    setting: Setting,
    counts: Sequence[int],
    steps: Sequence[int],
    repetitions: int = 100,
) -> dict[str, Any]:
    """Mean risk of gradient descent from zero after `steps` steps, equally weak
    features: (steps, counts).

    The step size is the reciprocal of the largest curvature of each training loss.
    """
    problem = equally_weak(FEATURES, noise=NOISE)
    generator = torch.Generator().manual_seed(
        setting.seeds(1, "risk during descent")[0]
    )
    inputs = problem.inputs(SAMPLES, repetitions, generator).to(setting.device)
    unit = torch.eye(SAMPLES, dtype=torch.float64, device=setting.device)
    rows = []
    for p in counts:
        Z, beta = inputs[..., :p], problem.beta[:p].to(setting.device)
        fits = [descent_from_zero(Z, unit, _step_size(Z), count) for count in steps]
        variance = label_variance(problem, p)
        rows.append(
            [float(risk_given_inputs(fit, Z, beta, variance).mean()) for fit in fits]
        )
    return {
        "counts": np.array(counts),
        "steps": np.array(steps),
        "risk": np.array(rows).T,
        "samples": SAMPLES,
        "limit": np.array([predicted_risk(problem, p) for p in counts]),
    }


def predicted_risk(problem: WeakFeatures, used: int) -> float:
    """The formula of the page."""
    return weak_features_risk(SAMPLES, used, *problem.signal(used), problem.noise**2)


def label_variance(problem: WeakFeatures, used: int) -> float:
    """Variance of a label given the used features."""
    return problem.signal(used)[1] + problem.noise**2


def _step_size(Z: Tensor) -> Tensor:
    """Reciprocal of the largest eigenvalue of the Hessian (2/n) Z^T Z, (...)."""
    return Z.shape[-2] / (2 * torch.linalg.matrix_norm(Z, 2).square())


def _descend(Z: Tensor, y: Tensor, start: Tensor) -> Tensor:
    """Weights (B, p) that gradient descent on the mean square loss reaches from `start`
    (B, p).
    """
    return descend(
        Objective(Linear(Z), Square(), y, shared=False),
        start,
        paces.constant(_step_size(Z)),
        steps=[20_000],
        until=short_gradient(1e-11),
    ).last


def descent_gap(
    problem: WeakFeatures,
    used: int,
    runs: int,
    generator: torch.Generator,
    setting: Setting,
) -> Tensor:
    """Relative distances of descent from zero to the minimum-norm solution, (runs,)."""
    inputs = problem.inputs(SAMPLES, runs, generator)
    y = problem.labels(inputs, generator).to(setting.device)
    Z = inputs[..., :used].to(setting.device)
    found, least = _descend(Z, y, Z.new_zeros(runs, used)), minimum_norm(Z, y).weights
    gap = torch.linalg.vector_norm(found - least, dim=-1)
    return gap / torch.linalg.vector_norm(least, dim=-1)


def risk_from(
    problem: WeakFeatures,
    runs: int,
    generator: torch.Generator,
    setting: Setting,
    *,
    start_norm: float,
) -> Tensor:
    """Risks with all features of gradient descent from random starts of norm
    `start_norm`, (runs,).
    """
    Z = problem.inputs(SAMPLES, runs, generator)
    y = problem.labels(Z, generator).to(setting.device)
    start = torch.randn(
        runs, problem.features, generator=generator, dtype=torch.float64
    )
    start = start_norm * start / torch.linalg.vector_norm(start, dim=-1, keepdim=True)
    Z, start = Z.to(setting.device), start.to(setting.device)
    weights = _descend(Z, y, start)
    beta = problem.beta.to(setting.device)
    return squared_risk(weights, beta, problem.noise**2)


def _blocks(total: int) -> list[int]:
    whole, rest = divmod(total, BLOCK)
    return [BLOCK] * whole + ([rest] if rest else [])
