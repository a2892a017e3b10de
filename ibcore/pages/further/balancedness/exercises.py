"""Questions of the exercises of the page on balancedness."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "balance-ex-limit": [
        Number(
            r"What is $u^2$ at the end of the flow from $(\sqrt3, -1)$?",
            "1 + sqrt(2)",
            {
                "sqrt(2) - 1": "That is $v^2$.",
                "sqrt(1 + sqrt(2))": "That is $u$; asked is its square.",
                2: "The flow keeps $u^2 - v^2 = 2$, and $v$ does not end at zero: there "
                "$uv = 1$.",
                3: "That is $u^2$ at the start.",
                1: "That is the balanced solution, and the start is not balanced.",
            },
        ),
        Choice(
            "Where does the flow from $(1, -1)$ end?",
            {
                "at $(1, 1)$": "The flow keeps $u^2 - v^2$, here zero, and with it "
                "$u = -v$: the two cannot come to have the same sign.",
                "at the saddle $(0, 0)$": RIGHT,
                "nowhere: it grows without bound": "On $u = -v$ the loss is "
                "$(u^2 + 1)^2$, and along the flow it falls.",
            },
        ),
    ],
    "balance-ex-midpoint": Order(
        "Put the proof for a neuron in order.",
        r"""
        - The change $\|a_{k+1}\|^2 - \|a_k\|^2$ is the product $(a_{k+1} + a_k) \cdot
          (a_{k+1} - a_k)$.
        - By the rule this product is $-2\eta\, \bar a \cdot g_a(\bar\theta)$ at the
          midpoint.
        - In the same way $\|w\|^2 + b^2$ changes by $-2\eta\,(\bar w \cdot g_w + \bar
          b\, g_b)$.
        - At every point, so also at the midpoint, $\bar a \cdot g_a = \bar w \cdot g_w
          + \bar b\, g_b$: both changes are equal.
        - Their difference $\delta$ has not changed.
        """,
    ),
    "balance-ex-noise": Formula(
        "What is the mean of the imbalance after $N$ steps, to leading order?",
        "D*exp(-4*eta^2*sigma^2*N)",
        {
            "D": "The gradient does not vanish where the loss does: the label is noisy, "
            "and every step changes $D$ a little.",
            "D*(1 - 4*eta^2*sigma^2*N)": "That is how it begins. The changes of the "
            "steps multiply.",
            "D*exp(-4*eta*sigma^2*N)": r"A step changes the imbalance by a term of "
            r"order $\eta^2$.",
            "D*exp(-eta^2*sigma^2*N)": "The gradient of the square has a factor of two, "
            "which is squared.",
            "D*exp(-2*eta^2*sigma^2*N)": "The gradient of the square has a factor of "
            "two, which is squared.",
        },
        variables={
            "D": (1, 4),
            "eta": (0.01, 0.03),
            "sigma": (0.5, 1),
            "N": (100, 300),
        },
        tolerance=0.01,
    ),
    "balance-ex-momentum": Choice(
        "One of these lines of a proof is wrong. Which one?",
        {
            r"$\frac{d}{dt} \|a\|^2 = 2\, a \cdot \dot a$": "This is the product rule.",
            r"$\frac{d^2}{dt^2} \|a\|^2 = 2\, a \cdot \ddot a$": RIGHT,
            r"$a \cdot (\ddot a + \gamma \dot a) = -a \cdot g_a$": "This is the flow of "
            "the heavy ball, multiplied by $a$.",
            r"$a \cdot g_a = w \cdot g_w + b\, g_b$": "This holds at every point: "
            "rescaling a neuron does not change the loss.",
        },
    ),
}
