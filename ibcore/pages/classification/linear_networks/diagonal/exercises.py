"""Questions of the exercises of the page on diagonal linear networks."""

from ibcore.questions import RIGHT, Choice, Formula, Number

EXERCISES = {
    "ex-dc-one": [
        Formula(
            r"What is $\lambda$ in terms of $m$ and $\alpha$? Write the inverse of "
            r"$\sinh$ by a logarithm.",
            "log(m/(2*alpha^2) + sqrt((m/(2*alpha^2))^2 + 1))",
            {
                "m/(2*alpha^2)": "That is for a small margin. Solve {eq}`eq-dc-sinh` "
                "exactly.",
                "log(m/alpha^2)": "That is for a large margin. Solve {eq}`eq-dc-sinh` "
                "exactly.",
                "log(m/(2*alpha) + sqrt((m/(2*alpha))^2 + 1))": r"Depth 2 starts with "
                r"$u^2 = v^2 = \alpha^2$.",
                "log(m/alpha^2 + sqrt((m/alpha^2)^2 + 1))": "A factor of two is "
                "missing: see {eq}`eq-dc-sinh`.",
            },
            variables={"m": (0.5, 8), "alpha": (0.5, 1.5)},
        ),
        Choice(
            r"When $\log(1/L)$ is far above $\alpha^2$, $\lambda$ grows like",
            {
                r"$\log(1/L)$": "So it does at the beginning.",
                r"the square root of $\log(1/L)$": r"The inverse of $\sinh$ undoes an "
                "exponential, not a square.",
                r"$\log \log(1/L)$": RIGHT,
            },
        ),
    ],
    "ex-dc-conserved": [
        Formula(
            r"Let $g = (A^{\mathsf T} p)_j$. At depth 3, what is the derivative of "
            r"$1/u_j$ by the time $s$ of {eq}`eq-dc-sinh`, in terms of $g$ (and $u$ for "
            "$u_j$, if needed)?",
            "-3*g",
            {
                "3*g": "The chain rule has a minus sign: $1/u$ falls where $u$ grows.",
                "3*u^2*g": "That is the derivative of $u_j$.",
                "-g": r"$\beta = u^3 - v^3$, so that $\dot u$ has a factor of 3.",
                "-1/u^2": r"Multiply by $\dot u$.",
                "-2*g/u": r"At depth 3 $\dot u$ has the power $u^2$.",
            },
            variables={"g": (0.5, 2), "u": (0.5, 3)},
        ),
        Formula(
            r"At depth $k \ge 3$ the quantity $u_j^c + v_j^c$ is constant. What is $c$?",
            "2 - k",
            {
                "-1": "That is depth 3.",
                "1 - k": "That does not give $1/u_j$ at depth 3. The powers $c - 1$ "
                "of the chain rule and $k - 1$ of $\\dot u$ have to cancel.",
            },
            variables={"k": (3, 7)},
        ),
    ],
    "ex-dc-minimizers": [
        Number(
            "To which $\\beta$, scaled to the margin 1, does depth 4 go if all weights "
            "start equal?",
            [0, -0.25, 0],
            {
                "(1/2, 0, 0)": "That is a local minimizer. But compare the pulls "
                "$A^{\\mathsf T} p$ on the two coordinates.",
                "(0, 1/4, 0)": "The margin is $2\\beta_1 - 4\\beta_2$, and it is 1.",
                "(0, -1, 0)": r"Its margin is 4. Scale it to 1.",
                "(1/10, -1/5, 0)": "That is the $\\ell_2$ solution. A vertex has one "
                "nonzero coordinate.",
            },
        ),
        Number(
            "And if $u_1$ starts ten times larger than all other weights?",
            [0.5, 0, 0],
            {
                "(0, -1/4, 0)": "That is where it goes from equal weights. At depth 4 "
                "the speed of $u_1$ grows with its cube.",
                "(1, 0, 0)": "Its margin is 2. Scale it to 1.",
            },
        ),
        Choice(
            r"How do their $\|\beta\|_{1/2}$ compare?",
            {
                "They are equal.": "With one nonzero coordinate the quasi-norm is its "
                "size.",
                "The second is twice the first.": RIGHT,
                "The second is half the first.": "With one nonzero coordinate the "
                "quasi-norm is its size.",
            },
        ),
    ],
}
