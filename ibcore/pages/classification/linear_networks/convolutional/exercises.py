"""Questions of the exercises of the page on convolutional linear networks."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "conv-ex-one": [
        Number(
            r"What is the predictor of largest margin in the $\ell_1$ norm of the "
            "spectrum, scaled to the margin 1? Give its four entries.",
            [0.25, 0.25, 0.25, 0.25],
            {
                "(0.3, 0.1, 0, 0)": "That is the predictor of largest $\\ell_2$ margin.",
                "(1/3, 0, 0, 0)": "That has the least $\\ell_1$ norm of its entries. "
                "Asked is the norm of its spectrum.",
                "(1, 1, 1, 1)": "The direction is right. Its margin is 4; scale it to 1.",
                "(1, 0, 0, 0)": "A single entry uses all frequencies alike. Which one of "
                "them is the strongest in $x$?",
            },
        ),
        Number(
            r"And the predictor of largest $\ell_2$ margin, scaled to the margin 1?",
            [0.3, 0.1, 0, 0],
            {
                "(3, 1, 0, 0)": "The direction is right. Its margin is 10; scale it to "
                "1.",
                "(1/4, 1/4, 1/4, 1/4)": "That has the largest margin for its spectrum.",
                "(1/3, 0, 0, 0)": "Its $\\ell_2$ norm is 0.333; there is one that is "
                "shorter.",
            },
        ),
    ],
    "conv-ex-kernel": [
        Choice(
            "Which of the two questions can be answered without a run?",
            {
                "that about the Fourier norm": "It may come out on either side. "
                "Which of the two norms is the $\\ell_2$ solution known to minimize?",
                "that about the $\\ell_2$ norm": RIGHT,
            },
        ),
        Choice(
            "And what is the answer to it, all predictors being scaled to the margin 1?",
            {
                "Its norm is below that of the $\\ell_2$ solution.": "By what is the "
                "$\\ell_2$ solution singled out?",
                "Its norm is not below that of the $\\ell_2$ solution.": RIGHT,
                "That depends on the start.": "By what is the $\\ell_2$ solution singled "
                "out, among all predictors with this margin?",
            },
        ),
    ],
    "conv-ex-cost": [
        Choice(
            "One of these lines on the least total norm is wrong. Which one? Here "
            "$a = F w_1$ and $b = F w_2$.",
            {
                r"$\|w_1\|^2 + \|w_2\|^2 = \sum_q (|a_q|^2 + |b_q|^2)$": "This is "
                "Parseval's identity.",
                r"$(F\beta)_q = d^{1/2} a_q b_q$": "With this $F$ the transform of a "
                r"convolution has the factor $d^{1/2}$.",
                r"$\frac12 (|a_q|^2 + |b_q|^2) \ge |a_q b_q|$": "This is a square, "
                r"$\frac12 (|a_q| - |b_q|)^2 \ge 0$.",
                "There is equality if and only if $a_q = b_q$.": RIGHT,
            },
        ),
        Order(
            "Put the proof of the conservation law in order. Again $a = F w_1$ and "
            r"$b = F w_2$, and $g_q$ is the transform of $-\nabla_\beta L$.",
            r"""
            - In the Fourier basis the predictor is $d^{1/2} a_q b_q$.
            - So the flow is $\dot a_q = d^{1/2} g_q \bar b_q$ and $\dot b_q = d^{1/2}
              g_q \bar a_q$.
            - With it $\frac{d}{dt} |a_q|^2 = 2 \operatorname{Re}(\bar a_q \dot a_q)$ is
              $2 d^{1/2} \operatorname{Re}(\bar a_q g_q \bar b_q)$.
            - This expression stays the same if $a_q$ and $b_q$ change places, so it is
              $\frac{d}{dt} |b_q|^2$ as well.
            """,
        ),
    ],
}
