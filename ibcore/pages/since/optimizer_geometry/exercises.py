"""Questions of the exercises of the page on the geometry of optimizers."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "geometry-ex-predict": [
        Number(
            r"Let $-\nabla L = (3, -4)$ be the one row, and $\eta_k = 1$. What is the "
            "step of Muon, with an exact $UV^\\top$ and without its running mean? Give "
            "its two entries.",
            "3/5, -4/5",
            {
                "1, -1": "That is sign descent. The row as a whole has one singular "
                "value, which becomes 1.",
                "3, -4": "Singular values become 1. Which singular value has this row?",
                "3/7, -4/7": "Its singular value is not the sum of the absolute values.",
                "3/4, -1": "Its singular value is not the largest entry.",
                "0, -1": "That is descent along the steepest coordinate. The factor "
                r"$UV^\top$ of this row has no zero.",
            },
        ),
        Choice(
            "Which margin does it maximize?",
            {
                r"the $\ell_2$ margin, as normalized gradient descent does": RIGHT,
                r"the $\ell_\infty$ margin, as sign descent does": "Its steps are not "
                "signs: look at the first question.",
                r"a spectral margin, which differs from the $\ell_2$ margin": "What is "
                "the largest singular value of a single row?",
                r"the $\ell_1$ margin: the dual of the spectral norm is the sum of the "
                "singular values": "The sum of the singular values is the dual norm, "
                "but a single row has only one of them.",
            },
        ),
    ],
    "geometry-ex-modify": [
        Choice(
            "Which of the two reaches the larger spectral margin on these digits?",
            {
                "the tuned map alone": "Run both with the same step size and the same "
                "number of steps.",
                "the one with cubic steps": RIGHT,
                "neither: both are the same to two digits": "Run both. The step of the "
                "one is closer to $UV^\\top$ than that of the other.",
            },
        ),
        Number(
            "Where does the tuned map $x \\mapsto a x + b x^3 + c x^5$ with the "
            "coefficients of this page take the singular value 1?",
            "3.4445 - 4.7750 + 2.0315",
            {
                1: "Add the three coefficients.",
                "3.4445 - 3*4.7750 + 5*2.0315": "That is its slope at 1.",
            },
        ),
        Number(
            r"What is the slope of the cubic map $x \mapsto \frac32 x - \frac12 x^3$ at "
            "1?",
            0,
            {
                1: "That is its value at 1.",
                "3/2": "That is its slope at 0.",
                -3: "That is its second derivative at 1.",
            },
        ),
    ],
    "geometry-ex-prove": [
        Order(
            "Put the proof of {eq}`eq-geometry-law` in order.",
            r"""
            - With $a = \lambda \eta_k$ and a step of length $\eta_k$, the triangle
              inequality gives $\|w_{k+1}\| \le (1 - a)\, \|w_k\| + \eta_k$.
            - Multiplied by $\lambda$, this is $\lambda \|w_{k+1}\| \le (1 - a)\, \lambda
              \|w_k\| + a$.
            - Subtracted from 1, it becomes $1 - \lambda \|w_{k+1}\| \ge (1 - a)\,
              (1 - \lambda \|w_k\|)$.
            - By induction, $1 - \lambda \|w_k\|$ is at least the product of the factors
              $1 - \lambda \eta_j$ times $1 - \lambda \|w_0\|$.
            - As $w_0 = 0$, the last factor is 1.
            """,
        ),
        Number(
            r"Which share of $1/\lambda$ can the largest weight have reached at most "
            "after $10{,}000$ steps, from a start at 0? Give a number between 0 and 1.",
            "1 - (1 - 0.0001)^10000",
            {
                "1/e": "That is the share that is missing.",
                1: "So it would be if each step brought the same part of the way. The "
                "decay grows with the weight.",
                "100*(1 - 1/e)": "That is in percent.",
            },
        ),
        Number(
            "After how many steps at least could it be 95 %?",
            "10000*log(20)",
            {
                9500: "So it would be if each step brought the same part of the way. The "
                "decay grows with the weight.",
                "-10000*log(0.95)": "After these steps 95 % of the way is still missing.",
                "10000*log(20)/log(10)": "The logarithm is the natural one.",
                "1000*log(20)": "Each step leaves the factor $1 - 10^{-4}$ of what is "
                "missing.",
            },
            tolerance=0.005,
        ),
    ],
    "geometry-ex-barrier": [
        Formula(
            "At which $g$ is $u g - F(g)$ largest, for $0 < u < 1$?",
            "epsilon*u/(1 - u)",
            {
                "u/(1 - u)": "That is $g$ in units of $\\varepsilon$.",
                "epsilon/(1 - u)": "That is $g + \\varepsilon$.",
                "epsilon*(1 - u)/u": "Solve $u = g/(g + \\varepsilon)$ again: the larger "
                "$u$, the larger $g$.",
                "epsilon*u/(1 + u)": "Solve $u = g/(g + \\varepsilon)$ again: $g$ grows "
                "without bound as $u$ comes to 1.",
                "u/(u + epsilon)": "That is $F'(u)$. Which $g$ has $F'(g) = u$?",
            },
            variables={"epsilon": (0.1, 1), "u": (0.1, 0.9)},
        ),
        Formula(
            r"What is $\log(1 + |g|/\varepsilon)$ there, in terms of $u$ alone?",
            "-log(1 - u)",
            {
                "log(1 + u)": "Put in the $g$ of the first question, not $u$.",
                "1/(1 - u)": "The logarithm is missing.",
                "log(u/(1 - u))": "That is the logarithm of $g/\\varepsilon$.",
            },
            variables={"u": (0.1, 0.9)},
        ),
        Choice(
            "And what is $F^*(u)$ for $|u| > 1$?",
            {
                "zero": "Take a $g$ with the sign of $u$, and make it larger and larger.",
                "infinite": RIGHT,
                r"$-\varepsilon |u| - \varepsilon \log(|u| - 1)$": "There is no $g$ at "
                "which the derivative of $u g - F(g)$ vanishes, since a step is shorter "
                "than 1.",
            },
        ),
    ],
}
