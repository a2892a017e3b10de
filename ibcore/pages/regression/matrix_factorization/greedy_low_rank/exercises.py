"""Questions of the exercises on greedy low-rank learning."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "greedy-ex-race": Number(
        "How large is the second when the first has reached 1, at depth two and at depth "
        "three?",
        "(0.1, (11 - 0.01^(-1/3))^(-3))",
        {
            "(0.991, 0.991)": "So it is at depth one, where both move at the same speed.",
            "(0.1, 0.1)": "At depth three the speed is not proportional to the size: see "
            "{eq}`eq-greedy-dynamics`.",
            "(0.1, 0.001)": "At depth three it is slow, but not that slow.",
            "(0.1, 0.01)": "A common factor belongs to depth two, and no other.",
        },
        tolerance=0.03,
    ),
    "greedy-ex-order": [
        Choice(
            r"Let $W^* = \sum_i \lambda_i u_i u_i^\top$ with $\lambda_1 > \lambda_2 > \dots "
            "> 0$. The first stage ends at",
            {
                "$W^*$": "Which rank can a single column have?",
                r"$\lambda_1 u_1 u_1^\top$": "Does a column along $u_2$ ever leave its "
                "line?",
                r"$\lambda_2 u_2 u_2^\top$": RIGHT,
                r"$\lambda_1 u_2 u_2^\top$": r"Which multiple of $u_2 u_2^\top$ is nearest "
                "to $W^*$?",
            },
        ),
        Choice(
            r"Does the flow from $U U^\top = \varepsilon I$ pass near it for tiny "
            r"$\varepsilon$?",
            {
                r"yes, on its way to $\lambda_1 u_1 u_1^\top$": "Which eigenvalue of $U "
                r"U^\top$ rises first?",
                r"yes, after it has been near $\lambda_1 u_1 u_1^\top$": "What has become "
                "of the part along $u_1$ by then?",
                "no, never": RIGHT,
                "that depends on the matrix": "Does the order in which the parts grow?",
            },
        ),
    ],
    "greedy-ex-rank": [
        Order(
            "Put the proof in order.",
            r"""
            - By the chain rule $\dot U = M U$ with the symmetric matrix
              $M = -2 \nabla f(U U^\top)$.
            - Along a given path $U(t)$ of the flow, $M$ is a known and continuous function
              of $t$, so that $U$ solves a linear equation.
            - So $U(t) = \Phi(t)\, U(0)$, where $\dot\Phi = M(t)\, \Phi$ and
              $\Phi(0) = I$.
            - The determinant of $\Phi$ is $\exp \int_0^t \operatorname{tr} M$, which is
              not zero.
            - So $\Phi(t)$ is invertible, and $U(t)$ has the rank of $U(0)$.
            """,
        ),
        Choice(
            "Why does the figure not contradict it?",
            {
                "Steps of finite size can change the rank.": "The statement and the "
                "figure are about gradient flow.",
                "The rank grows in the limit of infinite time.": "In a limit the rank can "
                "fall. Can it grow?",
                "The start has rank zero in the limit of small scales.": "Each flow of the "
                "figure has a scale above zero: what is its rank at the start?",
                "No eigenvalue is ever zero, but some are too small to be seen.": RIGHT,
            },
        ),
    ],
}
