"""An annealed maximization of normalized margins, which starts as gradient flow; for
models with kinks.

A network with a kinked activation slides along its kinks, where implicit methods find
no solution and explicit ones chatter. Here only the direction u = theta/|theta| is
kept. Steps have a length r relative to |theta| along the softmax-weighted gradient of
the margins, and chatter with amplitude r; they are shortened in the second half of a
run. While the softmax is that of the margins at theta they are Euler steps of the flow.
Later the margins in the softmax are held below a number of the order of 1/r, where
those of the flow grow without bound: from there on this is another path, which often
ends at another stationary direction than gradient flow, with a larger margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, starting_point
from ibcore.dynamics.recorder import Recorder
from ibcore.dynamics.trajectory import REACHED, broke_down
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
)


@dataclass(frozen=True)
class SphereRun:
    """What `sphere_flow` leaves behind, for B runs.

    direction: (B, P) unit vectors at the end.
    pull: (B, P), average over the last part of the run of the unit vectors along sum_i
    p_i grad m_i.
    margins: (K, B) smallest margins on the unit sphere at K records.      log_norm: (K,
    B) log |theta|.
    smoothed: (K, B) -log sum_i exp(-m_i(theta)) / |theta|^k, the smoothed margin of Lyu
    and Li (2020).
    steps: (K,) step numbers.      step_sizes: (K,) relative step lengths r.
    """

    direction: Tensor
    pull: Tensor
    margins: Tensor
    log_norm: Tensor
    smoothed: Tensor
    steps: Tensor
    step_sizes: Tensor

    @property
    def status(self) -> tuple[str, ...]:
        """Why each run ended: it took its steps, or its gradient vanished on the way."""
        lost = broke_down("its gradient vanished, as no neuron sees its last example")
        finite = self.direction.isfinite().all(-1).tolist()
        return tuple(REACHED if good else lost for good in finite)

    @property
    def misalignment(self) -> Tensor:
        """Sine of the angle between the direction and the average pull, (B,).

        It is the residual of the KKT conditions at the averaged slopes of the
        activation, which need no tolerance to be found: an average of gradients at
        points within the last part's chatter.
        """
        pull = self.pull / torch.linalg.vector_norm(self.pull, dim=-1, keepdim=True)
        along = (pull * self.direction).sum(-1, keepdim=True)
        return torch.linalg.vector_norm(self.direction - along * pull, dim=-1)


@threads()
def sphere_flow(
    model: Model,
    theta: Tensor,
    *,
    degree: int,
    steps: int = 4000,
    coarsest: float = 0.05,
    finest: float = 1e-5,
    heat: float = 0.5,
    window: int = 400,
    records: int = 100,
) -> SphereRun:
    """A nearly stationary direction of the normalized margin of `degree` k, by steps
    that shrink to `finest`.

    model: outputs (B, n) are margins.      theta: (B, P), any start.
    Each step is theta <- theta + r |theta| g/|g| with g = sum_i p_i grad m_i, p =
    softmax(-c m), an Euler step of the flow where c = 1. Once every margin is positive,
    c min m is held below `heat`/r, before that c max |m|, so that a step does not
    overshoot the softmax: from then on it is no step of the flow. r is `coarsest` for
    half of the steps, in which |theta| grows by a factor of about exp(r steps / 2), and
    then falls geometrically to `finest`. The last `window` steps are averaged into
    `pull`. A run whose last margin is not positive has not fitted its data; one whose
    gradient vanished, since no neuron is active on its last example, ends as NaN.

    Raises `InvalidInput` for a start at zero, sizes that are not positive, and fewer
    steps than the window.
    """
    theta = starting_point(model, theta).clone()
    positive_integer("degree", degree)
    positive_integer("steps", steps, least=positive_integer("window", window) + 1)
    for name, value in (("coarsest", coarsest), ("finest", finest), ("heat", heat)):
        positive_number(name, value)
    if not bool((theta != 0).any(-1).all()):
        raise InvalidInput(
            "theta has a run that starts at zero, which has no direction; start from a "
            "random point."
        )
    log_norm = torch.log(torch.linalg.vector_norm(theta, dim=-1))
    unit, pull = theta / torch.exp(log_norm)[:, None], torch.zeros_like(theta)
    kept = torch.unique(torch.linspace(0, steps - 1, records).long()).tolist()
    part = (2 * torch.arange(steps, dtype=theta.dtype) / (steps - 1) - 1).clamp_min(0)
    sizes = coarsest * (finest / coarsest) ** part
    names = "margins", "log_norm", "smoothed"
    recorder = Recorder(theta.new_tensor(kept), dict.fromkeys(names, log_norm))
    everyone = torch.arange(len(theta), device=theta.device)
    for step, size in enumerate(sizes.tolist()):
        values = model.outputs(unit)
        smallest = values.amin(-1)
        if step in kept:
            smoothed = _smoothed(values, degree * log_norm)
            seen = smallest, log_norm, smoothed
            recorder.keep_rows(everyone, dict(zip(names, seen, strict=True)))
        scale = torch.where(smallest > 0, smallest, values.abs().amax(-1))
        warmest = torch.log(heat / size / scale)
        cold = torch.minimum(degree * log_norm, warmest).exp()
        weights = torch.softmax(-cold[:, None] * values, -1)
        field = (weights[:, None, :] @ model.jacobian(unit))[:, 0]
        field = field / torch.linalg.vector_norm(field, dim=-1, keepdim=True)
        if step >= steps - window:
            pull += field / window
        unit = unit + size * field
        growth = torch.linalg.vector_norm(unit, dim=-1)
        unit, log_norm = unit / growth[:, None], log_norm + torch.log(growth)
    margins, log_norms, smoothness = (recorder.kept[name] for name in names)
    return SphereRun(
        unit, pull, margins, log_norms, smoothness, torch.tensor(kept), sizes[kept]
    )


def _smoothed(margins: Tensor, log_scale: Tensor) -> Tensor:
    """-log sum_i exp(-c m_i) / c for margins (B, n) on the unit sphere and log c (B,)."""
    scale = log_scale.clamp(max=700).exp()
    return -torch.logsumexp(-scale[:, None] * margins, -1) / scale
