"""Questions of the exercises of the page on the nuclear norm."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "nuclear-ex-agree": [
        Number(
            "To which number does the trace of the completion tend as the scale "
            "vanishes?",
            "2.5",
            {
                2: "That is $4R$, the trace of the matrix of rank two. One of its "
                "eigenvalues is negative for $R < 1$.",
                4: "That is the nuclear norm of the matrix of rank two, which is out of "
                r"reach for $UU^\top$.",
                "1.25": "The fit of rank one is $w w^\\top$ with two entries of $w$ that "
                "are 1 and two that are $R$.",
                3: "The fit of rank one is $w w^\\top$ with the entries 1, $R$, 1 and $R$ "
                "of $w$, and its diagonal has their squares.",
            },
        ),
        Number(
            "What is the least nuclear norm of a matrix that fits?",
            "2.5",
            {
                2: "$4R$ is the nuclear norm of the matrix of rank two only if both of "
                "its eigenvalues are positive.",
                4: "That is the matrix of rank two. There is a better one.",
            },
        ),
    ],
    "nuclear-ex-identity": [
        Choice(
            "What does the argument ask of the start?",
            {
                "independent entries": "It follows two eigenvectors and their growth. "
                "How the entries were drawn does not occur in it.",
                r"parts along the first two eigenvectors of $\bar M$ that are not zero": (
                    RIGHT
                ),
                "that it is not symmetric": "The starts of the measurement are symmetric.",
                r"that it does not commute with $\bar M$": "The identity commutes with "
                r"everything. Follow $\dot U = 4 \bar M U$ from it.",
            },
        ),
        Choice(
            r"Does the exponent change when the start is $U = \varepsilon I$?",
            {
                "yes": r"From the identity $\dot U = 4 \bar M U$ has the solution "
                r"$\varepsilon e^{4 \bar M t}$, with the same two rates.",
                "no, only the constant in front of the power": RIGHT,
                "no, and neither does the constant in front of the power": "How large "
                "the two parts are at the start enters as a factor.",
            },
        ),
    ],
    "nuclear-ex-bound": [
        Order(
            "Put the proof of the bound in order.",
            r"""
            - Let $c = \log(1/\alpha^2)$. As $W_\alpha$ is optimal and $W_0$ fits,
              $h(W_\alpha) + c \operatorname{tr} W_\alpha \le h(W_0) + c
              \operatorname{tr} W_0$.
            - For every $x \ge 0$ we have $x \log x - x \ge -1$.
            - A sum over $d$ eigenvalues gives $h(W_\alpha) \ge -d$.
            - Together, $c\, (\operatorname{tr} W_\alpha - \operatorname{tr} W_0) \le
              h(W_0) + d$.
            - For $\alpha < 1$ the number $c$ is positive: divide by it.
            """,
            needs={1: (), 3: (0, 2)},
        ),
        Choice(
            r"Let $\alpha < \beta$, with $c = \log(1/\alpha^2)$ and $c' = "
            r"\log(1/\beta^2)$. Add the inequality of optimality of $W_\alpha$, compared "
            r"with $W_\beta$, and that of $W_\beta$, compared with $W_\alpha$. What is "
            "left?",
            {
                r"$(c - c')(\operatorname{tr} W_\alpha - \operatorname{tr} W_\beta) \ge 0$"
                "": "The trace costs more at $\\alpha$ than at $\\beta$. Which of the two "
                "has the smaller one?",
                r"$(c - c')(\operatorname{tr} W_\alpha - \operatorname{tr} W_\beta) \le 0$"
                "": RIGHT,
                r"$(c - c')(h(W_\alpha) - h(W_\beta)) \le 0$": "In the sum $h(W_\\alpha)$ "
                "and $h(W_\\beta)$ stand on both sides.",
            },
        ),
    ],
}
