"""Questions of the exercises of the page on linear regression."""

from ibcore.questions import RIGHT, Choice, Order

EXERCISES = {
    "linreg-ex-start": [
        Choice(
            r"The start moves by $u \in \operatorname{null}(X)$. The limit moves",
            {
                "by $u$": RIGHT,
                "not at all": "No gradient ever points into the null space: what the "
                "start has there, it keeps.",
                "by the part of $u$ in the row space": "A vector of the null space is "
                "orthogonal to all rows: it has no such part.",
            },
        ),
        Choice(
            "The start moves by a $u$ of the row space. The limit moves",
            {
                "by $u$": "Then $Xw$ would change with it, and the limit would not fit.",
                "by half of $u$": "In the row space the data decide alone.",
                "not at all": RIGHT,
            },
        ),
    ],
    "linreg-ex-contradiction": [
        Choice(
            "Gradient descent",
            {
                "converges to an interpolant": "No $w$ fits both labels.",
                "converges to the least-squares solution of least norm": "So it does "
                "from zero. What does another start leave?",
                "converges to the least-squares solution closest to the start": RIGHT,
                "does not converge": "Its gradient is the mean over the examples, and "
                "that vanishes at the least-squares solutions.",
            },
        ),
        Choice(
            "SGD with one example a step and a constant step size",
            {
                "converges to the same point": "There the two gradients cancel in the "
                "mean, but not one by one.",
                "keeps moving": RIGHT,
                "runs off to infinity": "Its steps are short enough for every example: "
                "each brings $w$ closer to the points that fit this one.",
            },
        ),
    ],
    "linreg-ex-momentum": [
        Order(
            "Put the proof in order.",
            r"""
        - At the start $z_k - z_0$ is zero, which lies in the row space.
        - If $z_j - z_0$ lies in the row space for all $j \le k$, so does $z_k -
          z_{k-1}$.
        - As $\nabla L(w_k)$ lies there too, so does $z_{k+1} - z_0$.
        - By induction all $z_k - z_0$ lie in the row space, and with them
          $\nabla\psi(w_\infty) - \nabla\psi(w_0)$.
        - An interpolant of which this is true is the Bregman projection.
        """,
            needs={1: (), 3: (0, 2)},
        ),
        Choice(
            "Momentum in $w$ adds $\\mu\\,(w_k - w_{k-1})$ to $w$. Where does the proof "
            "fail?",
            {
                "The loss may rise.": "It may, and the proof does not ask that it falls.",
                "The move of $z$ need not lie in the row space.": RIGHT,
                "The gradient leaves the row space.": "It is a combination of the "
                "examples at every $w$.",
            },
        ),
    ],
}
