"""Questions of the exercises of the page on mirror descent."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "mirror-ex-dial": [
        Formula(
            r"What is the ratio $w_1/w_2$ of the two weights of $\hat w_p$?",
            "2^(1/(p - 1))",
            {
                "2": "That is $p = 2$.",
                "2^(p - 1)": r"The gradient of $\psi$ at $\hat w_p$ has the direction "
                "$(2, 1)$. Solve for the weights.",
                "2^(-1/(p - 1))": "That is $w_2/w_1$.",
                "2^(1/p)": r"The gradient of $|w|^p/p$ has the power $p - 1$.",
                "2^(p/(p - 1))": "That is the ratio of the $|w_j|^p$.",
            },
            variables={"p": (1.3, 4)},
        ),
        Number(
            "At which $p$ is the first weight a thousand times the second? Give four "
            "digits.",
            "1 + log(2)/log(1000)",
            {
                "1 + log(1000)/log(2)": "There the ratio is close to 1: the exponent "
                "is $1/(p - 1)$.",
                "log(2)/log(1000)": "That is $p - 1$.",
                "log(1000)/log(2)": "That is $1/(p - 1)$.",
            },
            tolerance=0.002,
        ),
    ],
    "mirror-ex-start": [
        Choice(
            "Which of the two forgets its start sooner?",
            {
                "$p = 1.3$": "Compare $z(0)$, which stays, with what grows beside it.",
                "$p = 3$": RIGHT,
                "both alike": r"Beside $z(0)$ stands $A^\top\Lambda$. How fast does it "
                "grow?",
            },
        ),
        Formula(
            r"Like which power of $\log t$ does $A^\top\Lambda$ grow, in terms of $p$?",
            "p - 1",
            {
                "p": r"$\|w\|_p$ grows like $\log t$, and $z = \nabla\psi(w)$.",
                "1": r"So does $\|w\|_p$.",
                "1/(p - 1)": "That is the other way: how $w$ goes with $z$.",
            },
            variables={"p": (1.1, 4)},
        ),
    ],
    "mirror-ex-certificate": Order(
        "Put the proof in order.",
        r"""
        - For feasible $v$ and $\Lambda \ge 0$ one has $\sum_i \Lambda_i \le \sum_i
          \Lambda_i m_i(v) = \langle A^\top\Lambda, v\rangle \le \|A^\top\Lambda\|_q
          \|v\|_p$.
        - With $v = \hat w_p$, whose norm is $1/\gamma_p$, this says $1/\gamma_p \ge
          \sum_i \Lambda_i/\|A^\top\Lambda\|_q$.
        - From $w = 0$ the flow keeps $A^\top\Lambda = z = \nabla\psi(w)$, so that
          $\|A^\top\Lambda\|_q = \|w\|_p^{p-1}$ and $\sum_i \Lambda_i m_i(w) =
          \|w\|_p^p$.
        - So the relative gap $1 - \min_j m_j(w)/(\gamma_p \|w\|_p)$ is at most $1 -
          \min_j m_j(w) \sum_i \Lambda_i/\|w\|_p^p$.
        - With $\sum_i \Lambda_i m_i(w)$ for $\|w\|_p^p$ and one fraction this is the
          bound.
        """,
        needs={2: (), 3: (1, 2)},
    ),
}
