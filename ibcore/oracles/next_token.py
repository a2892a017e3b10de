"""What a linear decoder converges to that is trained on next tokens: a finite part and
a direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import EPS, Array
from ibcore.oracles.max_margin import CLOSE, MaxMargin, certify
from ibcore.oracles.separability import separating_direction
from ibcore.problems.next_tokens import NextTokens
from ibcore.threads import threads
from ibcore.validation import InvalidInput

_STATIONARY = 1e-10  # gradient at the finite part, over the length of the contexts


@dataclass(frozen=True)
class NextTokenLimit:
    """Both parts of the limit of a decoder W (V, d), float64 on the CPU.

    basis: (V d, r) orthonormal, of F, the span of (e_z - e_z') h_j^T over tokens z, z'
    that follow context j.
    finite: (V, d) in F, the minimizer of the cross entropy among the tokens that
    follow; where some decoder realizes their log odds, it does.
    divergence: what that cross entropy is above the entropy, 0 where the odds are
    realized.
    gradient_norm: of it at `finite`, its certificate.
    direction: (V, d) W_mm, the shortest W orthogonal to F that puts every token that
    follows a context ahead of every one that does not, by 1 or more.
    program: its certificate, with one row a pair of a context and a token that does not
    follow it, in the order of `pairs`.
    pairs: (M, 2), these contexts and tokens.
    drift: (V, d) in F, the c of W_F = finite + c/t.
    """

    basis: Tensor
    finite: Tensor
    divergence: float
    gradient_norm: float
    direction: Tensor
    program: MaxMargin
    pairs: Tensor
    drift: Tensor

    def inside(self, decoders: Tensor) -> Tensor:
        """The parts in F of decoders (..., V, d)."""
        flat = decoders.flatten(-2)
        return (flat @ self.basis @ self.basis.T).unflatten(-1, decoders.shape[-2:])


@threads()
def next_token_limit(data: NextTokens) -> NextTokenLimit:
    """The limit of gradient flow on the cross entropy of next tokens.

    Thrampoulidis (2024), Definitions 1 to 3 and Theorem 2. The program of W_mm is
    solved as stated there and finished on its support set; the finite part solves
    linear equations, and Newton's method where they have no solution. The drift is
    derived on the page on attention and language.

    Equivariant under a common factor s of the contexts: finite and direction become 1/s
    of what they were. Raises `NotSeparable` where no decoder has the margins, and
    `InvalidInput` where double precision does not resolve them.
    """
    contexts, shares = data.contexts.numpy(), data.shares.numpy()
    support = shares > 0
    basis = _span(contexts, support)
    finite, gradient = _finite(data, basis)
    pairs = np.argwhere(~support)
    rows = _rows(contexts, _anchors(support), pairs)
    rows = rows - rows @ basis @ basis.T
    separating_direction(
        rows,
        "no decoder puts the tokens that follow each context ahead of all others while "
        "it keeps them level",
        "Take more dimensions than contexts: then one does (Thrampoulidis 2024, Lemma "
        "1).",
    )
    program = certify(rows, _program(contexts, support, pairs))
    inner = np.where(support, _within(contexts, support, finite), 0)
    left = shares * (np.log(np.where(support, shares, 1)) - inner)
    return NextTokenLimit(
        torch.from_numpy(basis),
        torch.from_numpy(finite),
        float(data.weights.numpy() @ left.sum(1)),
        gradient,
        program.primal.unflatten(0, data.size),
        program,
        torch.from_numpy(pairs),
        torch.from_numpy(_drift(data, basis, finite, program.dual.numpy(), pairs)),
    )


def _anchors(support: NDArray[np.bool_]) -> Array:
    """The first token that follows each context, as a row of zeros and a one, (m, V)."""
    return np.eye(support.shape[1])[support.argmax(1)]


def _rows(contexts: Array, heads: Array, pairs: NDArray[np.int64]) -> Array:
    """(heads_j - e_v) h_j^T for all pairs (j, v), flattened, (M, V d)."""
    signs = heads[pairs[:, 0]] - np.eye(heads.shape[1])[pairs[:, 1]]
    rows: Array = signs[:, :, None] * contexts[pairs[:, 0]][:, None]
    return rows.reshape(len(pairs), -1)


def _span(contexts: Array, support: NDArray[np.bool_]) -> Array:
    """An orthonormal basis (V d, r) of F."""
    others = support & (_anchors(support) == 0)
    rows = _rows(contexts, _anchors(support), np.argwhere(others))
    if not len(rows):
        return np.zeros((support.shape[1] * contexts.shape[1], 0))
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(right[values > EPS * max(rows.shape) * values[0]].T)


def _within(contexts: Array, support: NDArray[np.bool_], W: Array) -> Array:
    """log of the softmax shares among the tokens that follow, (m, V), -inf elsewhere."""
    logits = np.where(support, contexts @ W.T, -np.inf)
    logits -= logits.max(1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def _finite(data: NextTokens, basis: Array) -> tuple[Array, float]:
    """The minimizer in F of the cross entropy among the tokens that follow, and its
    gradient.
    """
    contexts, shares = data.contexts.numpy(), data.shares.numpy()
    weights, support = data.weights.numpy(), data.shares.numpy() > 0
    others = np.argwhere(support & (_anchors(support) == 0))
    odds = np.log(shares[np.arange(len(shares)), support.argmax(1)])[others[:, 0]]
    odds = odds - np.log(shares[others[:, 0], others[:, 1]])
    rows = _rows(contexts, _anchors(support), others) @ basis
    u = np.linalg.lstsq(rows, odds, rcond=None)[0]
    scale = float(np.linalg.norm(contexts, axis=1).max())

    def gradient(u: Array) -> Array:
        inner = np.exp(_within(contexts, support, (basis @ u).reshape(data.size)))
        pull = (weights[:, None] * (inner - shares)).T @ contexts
        return np.asarray(pull.ravel() @ basis)

    def value(u: Array) -> float:
        inner = _within(contexts, support, (basis @ u).reshape(data.size))
        return -float(weights @ (shares * np.where(support, inner, 0)).sum(1))

    for _ in range(100):
        slope = gradient(u)
        if np.linalg.norm(slope) <= 1e-15 * scale:
            break
        bend = basis.T @ _hessian(data, (basis @ u).reshape(data.size)) @ basis
        step, size = -np.linalg.lstsq(bend, slope, rcond=None)[0], 1.0
        while value(u + size * step) > value(u) + 1e-15 and size > 1e-8:
            size /= 2
        u = u + size * step
    left = float(np.linalg.norm(gradient(u))) / scale
    if not left <= _STATIONARY:
        raise InvalidInput(
            f"the finite part is not resolved in double precision: a gradient of "
            f"{left:.0e} is left. Center and scale the contexts."
        )
    return (basis @ u).reshape(data.size), left


def _hessian(data: NextTokens, W: Array) -> Array:
    """Of the cross entropy among the tokens that follow, (V d, V d)."""
    contexts, support = data.contexts.numpy(), data.shares.numpy() > 0
    inner = np.exp(_within(contexts, support, W))
    spread = inner[:, :, None] * (np.eye(inner.shape[1]) - inner[:, None])
    out = np.einsum(
        "j,jzv,jd,je->zdve", data.weights.numpy(), spread, contexts, contexts
    )
    return np.asarray(out.reshape(W.size, W.size))


def _program(
    contexts: Array, support: NDArray[np.bool_], pairs: NDArray[np.int64]
) -> Array:
    """Dual variables of the margins by Clarabel, (M,), or zeros where it does not end."""
    scale = np.abs(contexts).max()
    W = cp.Variable((support.shape[1], contexts.shape[1]))
    logits = contexts / scale @ W.T
    first = support.argmax(1)
    level = np.argwhere(support & (_anchors(support) == 0))
    own = logits[pairs[:, 0], first[pairs[:, 0]]]
    ahead = own - logits[pairs[:, 0], pairs[:, 1]] >= 1
    even = [logits[level[:, 0], first[level[:, 0]]] == logits[level[:, 0], level[:, 1]]]
    problem = cp.Problem(
        cp.Minimize(cp.sum_squares(W) / 2), [ahead, *(even if len(level) else [])]
    )
    if not programs.clarabel_at_best(problem, CLOSE):
        return np.zeros(len(pairs))
    return np.asarray(ahead.dual_value)


def _drift(
    data: NextTokens,
    basis: Array,
    finite: Array,
    dual: Array,
    pairs: NDArray[np.int64],
) -> Array:
    """c with which the part in F approaches its limit, (V, d).

    Late in training the tokens that do not follow push with dual/t, and the Hessian of
    the cross entropy among those that do holds against the part of the push in F.
    """
    contexts, support = data.contexts.numpy(), data.shares.numpy() > 0
    heads = np.exp(_within(contexts, support, finite))
    push = dual @ _rows(contexts, heads, pairs) @ basis
    bend = basis.T @ _hessian(data, finite) @ basis
    c = np.linalg.lstsq(bend, push, rcond=None)[0] if len(push) else push
    return (basis @ c).reshape(data.size)
