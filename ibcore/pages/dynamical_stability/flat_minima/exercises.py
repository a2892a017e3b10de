"""Questions of the exercises of the page on flat minima."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "flat-ex-product": Number(
        "At which $c > 1$?",
        "sqrt(10 + sqrt(99))",
        {
            "10 + sqrt(99)": "That is $c^2$.",
            "sqrt(10 - sqrt(99))": "There it is ten times as sharp, too; asked is the "
            "solution above 1.",
            "sqrt(10)": "There $c^2 + c^{-2}$ is about 10. The sharpness is twice that, "
            "and is to be ten times 4.",
            "sqrt(40)": "There $c^2 + c^{-2}$ is about 40. The sharpness is twice that.",
            10: "There the sharpness is about 200.",
        },
    ),
    "flat-ex-leave": [
        Formula(
            "Let a network have $k$ times the sharpness $S$ from which the step $1/S$ was "
            "taken. By which factor, sign included, does one step multiply a small push "
            "along its sharpest direction?",
            "1 - k",
            {
                "1 - 2*k": "The step is $1/S$, not $2/S$.",
                "1 - k/2": r"The gradient of $\frac12 \lambda z^2$ is $\lambda z$.",
                "k": "A step subtracts from the push what the gradient says; the push "
                "itself stays.",
                "1 + k": "A step goes against the gradient.",
                "1 - 1/k": "The step is the old one, the sharpness the new one.",
            },
            variables={"k": (3, 20)},
        ),
        Choice(
            "What happens to the loss in the first thirty steps?",
            {
                "It stays near zero at $c = 1$ and at $c = \\frac14$.": "The function is "
                "the same, but gradient descent sees the parameters. How sharp is the "
                "second network?",
                "It stays near zero at $c = 1$ and grows at $c = \\frac14$.": RIGHT,
                "It grows at $c = 1$ and stays near zero at $c = \\frac14$.": "The "
                "explorer tells the sharpness at both factors: the smaller hidden "
                "weights belong to the sharper network.",
                "It grows at both.": "At $c = 1$ the step is half of the largest that "
                "is stable.",
            },
        ),
    ],
    "flat-ex-trace": [
        Order(
            "Put the proof of the first part in order.",
            r"""
            - Let $D$ be the diagonal matrix with $c$ at hidden and $1/c$ at output
              weights. Then $L(D\theta) = L(\theta)$ for all $\theta$.
            - Differentiated twice, $D\, H(\theta_c)\, D = H(\theta)$.
            - So an entry of the diagonal of $H(\theta_c)$ is that of $H(\theta)$,
              divided by $c^2$ at a hidden weight and multiplied by $c^2$ at an output
              weight.
            - Summed over each of the two blocks, this gives $t_h/c^2$ and $c^2 t_o$.
            """,
        ),
        Formula(
            "What is the least value? Let both traces be positive, and write t_h and "
            "t_o.",
            "2*sqrt(t_h*t_o)",
            {
                "t_h + t_o": "That is the trace at $c = 1$.",
                "2*t_h*t_o": "Which product of the two terms does not depend on $c$? "
                "Their geometric mean is its root.",
            },
            variables={"t_h": (1, 3), "t_o": (4, 9)},
        ),
        Formula(
            "At which $c$?",
            "(t_h/t_o)^(1/4)",
            {
                "sqrt(t_h/t_o)": "That is $c^2$.",
                "t_h/t_o": "That is $c^4$.",
                "(t_o/t_h)^(1/4)": "The hidden block is divided by $c^2$: the larger it "
                "is, the larger is $c$.",
            },
            variables={"t_h": (1, 3), "t_o": (4, 9)},
        ),
    ],
}
