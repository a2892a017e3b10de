"""Questions of the exercises on diagonal networks in regression."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "dreg-ex-exponent": Number(
        r"As $\alpha \to 0$, $\beta_1$ falls like a power of $\alpha$. Which power at depth "
        "2, and which at depth 3?",
        "(2/3, 3)",
        {
            "(1/3, 3)": r"The first is the power of $c = 2\alpha^2$.",
            "(2, 3)": r"At depth 2 $\zeta_1$ grows as $\alpha$ falls.",
            "(4/3, 3)": r"At depth 2 $\beta_1$ is of the order $\alpha^2 e^{|\zeta_1|}$, and "
            r"$\zeta_1$ is $\rho_1$ times $\zeta_2$.",
            "(2/3, 2/3)": r"At depth 3 $\zeta$ stays between $-1$ and $1$.",
            "(2/3, 1)": r"At depth 3 $\beta_1 = c\, h_3(\zeta_1)$. With which $c$?",
            "(2/3, 2)": r"At depth 3 $\beta_1 = c\, h_3(\zeta_1)$. With which $c$?",
            "(3, 2/3)": "The order of the depths is the other one.",
        },
    ),
    "dreg-ex-uneven": [
        Choice(
            r"With $q$ as in the theorem at depth 2, so that $q'(z) = \operatorname{asinh}"
            "(z/2)$, the limit has the least",
            {
                r"$\sum_j q(\beta_j/\alpha_j^2)$": r"Differentiate: is it $\zeta_j$?",
                r"$\sum_j \beta_j^2/\alpha_j^2$": r"So it is if all $\alpha_j$ are large.",
                r"$\sum_j \alpha_j^2\, q(\beta_j/\alpha_j^2)$": RIGHT,
                r"$\bar\alpha^2 \sum_j q(\beta_j/\bar\alpha^2)$ with the mean "
                r"$\bar\alpha^2$ of the $\alpha_j^2$": "No single scale describes this "
                "start: the control of the first claim shows it.",
            },
        ),
        Choice(
            r"Let $\alpha_j = \alpha^{r_j}$ with $r_j > 0$ and $\alpha \to 0$. Which norm is "
            "least in the limit?",
            {
                r"$\sum_j |\beta_j|$": r"How large is $\zeta_j$ where $\beta_j$ stays away "
                "from zero?",
                r"$\sum_j r_j |\beta_j|$": RIGHT,
                r"$\sum_j |\beta_j|/r_j$": r"A large $r_j$ is a tiny start. Does it make "
                r"$\beta_j$ cheap or expensive?",
                r"$\bigl(\sum_j r_j \beta_j^2\bigr)^{1/2}$": "Small starts do not lead to a "
                "smooth norm.",
            },
        ),
        Choice(
            r"And if $\alpha_j = r_j \alpha$, with $r_j > 0$ and $\alpha \to 0$?",
            {
                r"$\sum_j |\beta_j|$": RIGHT,
                r"$\sum_j r_j |\beta_j|$": r"How does $\zeta_j$ depend on $r_j$ when "
                r"$\log(1/\alpha)$ is large?",
                r"$\sum_j |\beta_j|/r_j$": r"How does $\zeta_j$ depend on $r_j$ when "
                r"$\log(1/\alpha)$ is large?",
            },
        ),
    ],
    "dreg-ex-conserve": [
        Order(
            r"Put the proof at depth 3 in order. Here $g = \nabla_\beta L$.",
            r"""
            - As $\beta_j = u_j^3 - v_j^3$, the flow is $\dot u_j = -3 u_j^2\, g_j$ and
              $\dot v_j = 3 v_j^2\, g_j$.
            - While $u_j$ and $v_j$ are positive, one may divide by their squares:
              $\dot u_j/u_j^2 = -3 g_j$ and $\dot v_j/v_j^2 = 3 g_j$.
            - The left sides are the derivatives of $-1/u_j$ and of $-1/v_j$.
            - Their sum is zero, so that $1/u_j + 1/v_j$ keeps its value.
            """,
        ),
        Formula(
            r"At depth $D \ge 3$ a sum $u_j^p + v_j^p$ is conserved. What is $p$?",
            "2 - D",
            {
                "-1": "So it is at depth 3.",
                "1 - D": "The power is that of the flow, $u_j^{D-1}$; now integrate.",
                "-D": r"The flow has $u_j^{D-1}$: which power has the derivative "
                r"$\dot u_j/u_j^{D-1}$, up to a factor?",
                "D": r"$u_j^D - v_j^D$ is $\beta_j$, which moves.",
            },
            variables={"D": (3, 7)},
        ),
        Formula(
            r"At depth $D \ge 3$, to which number does the smaller factor fall as "
            r"$\beta_j$ becomes large?",
            "alpha * 2^(-1/(D - 2))",
            {
                "0": "So it is at depth 2.",
                "alpha": "At the start both terms of the conserved sum are equal. What "
                "becomes of the term of the larger factor?",
                "alpha/2": "So it is at depth 3.",
                "alpha * 2^(1/(D - 2))": "The smaller factor falls, so it ends below "
                r"$\alpha$.",
            },
            variables={"alpha": (0.1, 1), "D": (3, 7)},
        ),
    ],
}
