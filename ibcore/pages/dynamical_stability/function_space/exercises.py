"""Questions of the exercises of the page on stability in function space."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "fspace-ex-weight": [
        Number(
            "What is $g(0)$?",
            "sqrt(1.25)/8",
            {
                "1/8": r"The mean of the inputs on one side is $\pm\frac12$: the root is "
                "not 1.",
                "sqrt(2)/8": "Under the root stands the square of the mean of the inputs "
                "on one side, which is $\\frac12$.",
                "sqrt(1.25)/4": r"Both $P^2$ and the mean distance enter: $\frac14 \cdot "
                r"\frac12$.",
                "sqrt(4/3)/8": "Under the root stands the square of the mean, not the "
                "mean of the square.",
            },
        ),
        Number(
            "How many times more may a function bend at $t = 0.8$ than at $t = 0$?",
            "sqrt(1.25)/8/(0.001*sqrt(1.81))",
            {
                "0.125*sqrt(1.25)/(0.729*sqrt(1.01))": "The smaller of $g_-$ and $g_+$ "
                "counts, and the more is allowed the smaller it is.",
                "25*sqrt(1.25/1.81)": r"The mean distance of the inputs beyond $t$ "
                "shrinks too, not only their share.",
            },
            tolerance=0.06,
        ),
    ],
    "fspace-ex-scale": [
        Choice(
            r"Can the sharpness fall below $2 + 4 \int |f''|\, g$?",
            {
                "yes, at a suitable $s$": "What stands on the right depends on the "
                "function alone, and the function stays.",
                "no, at no $s$": RIGHT,
            },
        ),
        Choice(
            "Where is the sharpness of a wiggly start of this page least?",
            {
                "at an $s$ below 1": RIGHT,
                "at $s = 1$": "So it would be if both layers were equally large. Compare "
                "$|w_j|$ and $|a_j|$.",
                "at an $s$ above 1": "The start has $|w_j|$ much larger than $|a_j|$.",
                "nowhere: it falls without end as $s$ becomes small": "The gradients in "
                "$w$ and $b$ are proportional to $a/s$.",
            },
        ),
    ],
    "fspace-ex-neuron": [
        Choice(
            "In one step only may the proof of {eq}`eq-fspace-slope` lose something. "
            "Which one?",
            {
                r"$\nabla_x f(x_i) = W_1^\top \delta_i$": "This is the chain rule.",
                r"$|W_1^\top \delta_i| \le |W_1|_2\, |\delta_i|$": RIGHT,
                r"$|\delta_i x_i^\top|_F = |\delta_i|\, |x_i|$": "For a matrix of rank "
                "one this is exact.",
            },
        ),
        Choice(
            r"Let all singular values of $W_1$ be equal and the inputs have dimension "
            r"$d$. Up to which width is there equality for every $\delta_i$?",
            {
                "up to the width 1": r"It is enough that $W_1 W_1^\top$ is a multiple of "
                "the identity.",
                "up to the width $d$": RIGHT,
                "up to every width": r"With more than $d$ rows some $\delta_i$ has $W_1^\top "
                r"\delta_i = 0$.",
            },
        ),
    ],
    "fspace-ex-product": [
        Order(
            "Put the proof in order.",
            r"""
            - The mean gradient $\bar J$ has the entries $m_j v_j$ and $m_j u_j$.
            - So $|\bar J|^2 = \sum_j m_j^2\, (u_j^2 + v_j^2)$.
            - This is at least $2 \sum_j m_j^2\, |u_j v_j| = 2 \sum_j m_j^2\,
              |\beta_j|$.
            - At a stable minimum $2/\eta \ge \lambda_{\max} \ge 2 |\bar J|^2$.
            - Together, $2\eta \sum_j m_j^2\, |\beta_j| \le 1$.
            """,
            needs={3: (), 4: (2, 3)},
        ),
        Number(
            "With $u = p + q$ and $v = p - q$ this network computes the same function as "
            "that of the page, $\\beta = p^2 - q^2$, with parameters $p$ and $q$. By which "
            "factor is its sharpness that of the other?",
            "1/2",
            {
                2: "It is the other way around: where parameters are longer, gradients "
                "are shorter.",
                "sqrt(2)/2": "By that factor the gradients are shorter. The sharpness is "
                "a square of them.",
                "1/4": "The parameters are longer by $\\sqrt2$, not by 2.",
            },
        ),
    ],
}
