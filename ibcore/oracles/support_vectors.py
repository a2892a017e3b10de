"""How clearly the solution of the hard-margin program distinguishes support vectors
from the other points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import InvalidInput


def distinctness(signed: Tensor, dual: Tensor) -> Tensor:
    """By how much the margin of each point would differ if its part in the solution
    changed, (n,).

    signed: (n, d) rows y_i x_i.      dual: alpha (n,), zero off the support.
    Off the support it is the slack y_i w_hat.x_i - 1. For a support vector it is 1 -
    y_i w.x_i at the shortest w with the *other* support vectors at margin 1, alpha_i /
    (G^-1)_ii with G the Gram matrix of the
    support: what the solution would miss without this point. Both are divided by
    |w_hat| |x_i|, which makes them differences of sines of angles, which a common
    factor of `signed` leaves. Zero means degenerate.

    Raises `InvalidInput` if the support vectors are linearly dependent, so that alpha
    is not unique.
    """
    on = dual > 0
    rows = signed[on]
    lengths = rows.norm(dim=1, keepdim=True)
    if _rank(rows) < len(rows):
        raise InvalidInput(
            f"the {len(rows)} support vectors are linearly dependent, expected "
            "independent ones. Perturb the data or drop repeated points."
        )
    w_hat = signed.T @ dual
    out = signed @ w_hat - 1
    r = torch.linalg.qr((rows / lengths).T).R
    inverse = torch.linalg.solve_triangular(r, torch.eye(len(r)).to(r), upper=True)
    out[on] = dual[on] * (lengths[:, 0] / inverse.norm(dim=1)) ** 2
    return out / (w_hat.norm() * signed.norm(dim=1))


def spans(signed: Tensor, dual: Tensor) -> bool:
    """Whether the support vectors span the whole input space, as Ji and Telgarsky
    (2019) assume.
    """
    return _rank(signed[dual > 0]) == signed.shape[1]


def _rank(rows: Tensor) -> int:
    """The rank of `rows` (k, d) with columns and then rows divided by their largest
    entries.
    """
    columns = rows.abs().amax(0)
    scaled = rows / torch.where(columns > 0, columns, 1.0)
    return int(torch.linalg.matrix_rank(scaled / scaled.abs().amax(1, keepdim=True)))


def offset_at_loss(signed: Tensor, dual: Tensor) -> Tensor:
    """The limit of w - w_hat log(1/L) on the span of the support, (d,), for an
    exponential tail and the mean loss L.

    signed: (n, d) rows y_i x_i.      dual: alpha (n,), zero off the support.
    The shares of the support vectors in the gradient tend to p_i = alpha_i /
    sum(alpha), and e^(-m_i) = n L p_i gives y_i x_i.delta = -log(n p_i) on the support;
    delta is the solution in its span.
    """
    on = dual > 0
    wanted = -torch.log(len(dual) * dual[on] / dual.sum())
    lengths = signed[on].norm(dim=1)
    return torch.linalg.pinv(signed[on] / lengths[:, None]) @ (wanted / lengths)
