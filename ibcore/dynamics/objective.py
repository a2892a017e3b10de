"""What training minimizes: the mean loss of a model on data, for a batch of members at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ibcore.batch import rows_of
from ibcore.dynamics.members import select, where
from ibcore.dynamics.protocols import fitting, pullback, usable_outputs
from ibcore.validation import InvalidInput, real_tensor


class Trainable(Protocol):
    """What `Objective` asks of a model; see `ibcore.models.base.Model`."""

    def outputs(self, theta: Tensor) -> Tensor: ...

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor: ...

    def select(self, members: Tensor) -> Any: ...

    def minibatch(self, rows: Tensor) -> Any: ...


@runtime_checkable
class SharesWork(Protocol):
    """A model with its outputs and the map of weights to their pullback in one; see
    `ibcore.models.base.Model`.
    """

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]: ...


class MeanLoss(Protocol):
    """What `Objective` asks of a loss; see `ibcore.losses.Loss`."""

    def mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor: ...

    def log_mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor: ...

    def pull(
        self, outputs: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor]: ...


class Point(Protocol):
    """An objective at parameters theta (B, P)."""

    @property
    def theta(self) -> Tensor: ...

    @property
    def log_loss(self) -> Tensor:
        """log L, (B,)."""

    @property
    def slope(self) -> tuple[Tensor, Tensor]:
        """A vector (B, P) and log of its unit, (B,) or (): -grad L = exp(log_unit)
        vector.
        """

    def where(self, chosen: Tensor, other: Any) -> Any:
        """The members `chosen` (B,) of the point, and the rest of the other."""

    def select(self, members: Tensor) -> Any:
        """The point of these members (A,)."""


@dataclass(frozen=True)
class Objective:
    """The mean `loss` of a `model`, with `targets` where the loss has them.

    targets: with one entry an example, shared by the members, (n, ...), or each its
    own, (B, n, ...).
    shared: which of the two.

    A loss of margins has no targets: its model is `Margins(model, labels)`. `mean` of
    parameters (B, P) is L, (B,), and `curvature` the map of vectors (B, P) to the
    product of the Hessian of L with them. Training raises `InvalidInput` for parameters
    that do not fit the model or are not finite.

    >>> import torch
    >>> from ibcore import Linear, Objective, Square
    >>> one = torch.ones(1, 1).double()
    >>> objective = Objective(Linear([[1.0]]), Square(), torch.tensor([4.0]).double())
    >>> objective.mean(one).item(), objective.curvature(one)(one).item()  # (w - 4)^2
    (9.0, 2.0)
    """

    model: Trainable
    loss: MeanLoss
    targets: Tensor | None = None
    shared: bool = True

    def begin(self, theta: object) -> ModelPoint:
        """The objective where training starts; raises `InvalidInput` as
        `starting_point` does.
        """
        point = self.at(fitting(self.model, theta))
        usable_outputs(point.theta, lambda: point.outputs)
        return point

    def at(self, theta: Tensor) -> ModelPoint:
        """The objective at theta (B, P); nothing is computed before it is asked for."""
        return ModelPoint(self, theta)

    def mean(self, theta: Tensor) -> Tensor:
        """L, (B,), to be differentiated."""
        return self.loss.mean(self.model.outputs(theta), self.targets)

    def curvature(self, theta: Tensor) -> Callable[[Tensor], Tensor]:
        """The map v -> (Hessian of L at theta) v of vectors (B, P).

        The graph of the gradient is kept, so that a product costs one backward pass.
        """
        with torch.enable_grad():
            start = theta.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(
                self.mean(start).sum(), start, create_graph=True
            )

        def product(vector: Tensor) -> Tensor:
            return torch.autograd.grad(gradient, start, vector, retain_graph=True)[0]

        return product

    def select(self, members: Tensor) -> Objective:
        """The objective of these members (A,)."""
        part = replace(self, model=self.model.select(members))
        if self.targets is None or self.shared:
            return part
        return replace(part, targets=self.targets[members])

    def minibatch(self, rows: Tensor) -> Objective:
        """The mean over these examples, (b,) for all members or (B, b)."""
        part = replace(self, model=self.model.minibatch(rows))
        if self.targets is None:
            return part
        targets = rows_of(self.targets, rows, shared=self.shared)
        return replace(part, targets=targets, shared=self.shared and rows.ndim == 1)

    def perturbed(self, noise: Tensor) -> Objective:
        """The same with `noise`, (B, n, ...), added to the targets."""
        return replace(self, targets=self.real_targets + noise, shared=False)

    @property
    def real_targets(self) -> Tensor:
        """The targets, (n, ...) or (B, n, ...); raises `InvalidInput` where there are
        none, or classes.
        """
        if self.targets is None or not self.targets.is_floating_point():
            raise InvalidInput(
                "label noise or residuals were asked for, and this loss has no real "
                "targets. Use Square()."
            )
        return self.targets


class ModelPoint:
    """An `Objective` at theta, computed where it is asked for, and once."""

    def __init__(
        self, objective: Objective, theta: Tensor, outputs: Tensor | None = None
    ) -> None:
        self.objective, self.theta = objective, theta
        if outputs is not None:
            self.outputs = outputs

    @cached_property
    def _pulled(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        model = self.objective.model
        if isinstance(model, SharesWork):
            return model.vjp(self.theta)
        return model.outputs(self.theta), partial(pullback, model, self.theta)

    @cached_property
    def outputs(self) -> Tensor:
        return self._pulled[0]

    @cached_property
    def log_loss(self) -> Tensor:
        return self.objective.loss.log_mean(self.outputs, self.objective.targets)

    @cached_property
    def slope(self) -> tuple[Tensor, Tensor]:
        weights, log_unit = self.objective.loss.pull(
            self.outputs, self.objective.targets
        )
        if "_pulled" in vars(self):
            return self._pulled[1](weights), log_unit
        return pullback(self.objective.model, self.theta, weights), log_unit

    @property
    def residuals(self) -> Tensor:
        """Outputs minus targets, (B, n) or (B, n, K), where these are real."""
        return self.outputs - self.objective.real_targets

    def where(self, chosen: Tensor, other: ModelPoint) -> ModelPoint:
        mine, theirs = (self.theta, self.outputs), (other.theta, other.outputs)
        return ModelPoint(self.objective, *where(chosen, mine, theirs))

    def select(self, members: Tensor) -> ModelPoint:
        outputs = self.outputs[members] if "outputs" in vars(self) else None
        return ModelPoint(self.objective.select(members), self.theta[members], outputs)


Values = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""theta (A, P) and the indices (A,) of these members in the batch -> loss (A,), gradient (A, P), what else is seen."""


@dataclass(frozen=True)
class FunctionObjective:
    """An objective given by a function, for the `members` (A,) of a batch, by default
    all; see `Values`.
    """

    values: Values
    members: Tensor | None = None

    def begin(self, theta: object) -> FunctionPoint:
        """The objective where training starts; raises `InvalidInput` where that is not
        finite.
        """
        return self.at(real_tensor("theta", theta, ndim=2))

    def at(self, theta: Tensor) -> FunctionPoint:
        if self.members is None:
            every = torch.arange(len(theta), device=theta.device)
            return replace(self, members=every).at(theta)
        loss, gradient, *seen = self.values(theta, self.members)
        return FunctionPoint(self, theta, loss, gradient, tuple(seen))


@dataclass(frozen=True)
class FunctionPoint:
    """A `FunctionObjective` at theta, with the loss (A,), its gradient (A, P) and what
    else was `seen`.
    """

    objective: FunctionObjective
    theta: Tensor
    loss: Tensor
    gradient: Tensor
    seen: tuple[Tensor, ...] = ()

    @property
    def log_loss(self) -> Tensor:
        return self.loss.log()

    @property
    def slope(self) -> tuple[Tensor, Tensor]:
        return -self.gradient, self.loss.new_zeros(())

    @property
    def residuals(self) -> Tensor:
        """The last of what was seen, for a pace or an event that asks for residuals."""
        return self.seen[-1]

    def where(self, chosen: Tensor, other: FunctionPoint) -> FunctionPoint:
        return FunctionPoint(
            self.objective,
            *where(
                chosen,
                (self.theta, self.loss, self.gradient, self.seen),
                (other.theta, other.loss, other.gradient, other.seen),
            ),
        )

    def select(self, members: Tensor) -> FunctionPoint:
        before = self.objective.members
        part = members if before is None else before[members]
        return FunctionPoint(
            replace(self.objective, members=part),
            *select((self.theta, self.loss, self.gradient, self.seen), members),
        )
