"""Questions of the exercises of the page on wide networks."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "wide-ex-depth": [
        Number(
            "One hidden layer, no biases: how many neurons at least?",
            150,
            {
                50: r"$5/m$ is the relative variance of $q$. The excess kurtosis has a "
                "factor of three.",
                15: "That many have an excess kurtosis of 1.",
            },
        ),
        Number(
            "Ten hidden layers of the same width, no biases: how many neurons a layer "
            "at least?",
            1523,
            {
                1500: "That is to leading order. The exact formula asks for some more.",
                150: "That is for one layer. The factors of the layers multiply.",
                15230: "That is in all ten layers; asked is one of them.",
                500: "The excess kurtosis has a factor of three.",
            },
            tolerance=0.005,
        ),
    ],
    "wide-ex-cauchy": [
        Number(
            "By which power of $m$ must the sum be divided? (Its exponent.)",
            1,
            {
                0.5: "That is for terms of finite variance. How does the scale "
                r"$\sum_k \phi(z_k)$ grow?",
                0: r"The scale $\sum_k \phi(z_k)$ grows with $m$.",
                2: r"The scale of the sum is $\sum_k \phi(z_k)$, not its square.",
            },
        ),
        Formula(
            "What is the scale of the limit, at one input $x$? Write S for "
            "$S^1(x, x)$.",
            "sqrt(S/(2*pi))",
            {
                "sqrt(2*S/pi)": r"That is the mean of $|z|$. ReLU is zero for half of "
                "all $z$.",
                "sqrt(S/2)": r"That is the root of the mean of $\phi(z)^2$.",
                "S/2": r"That is the mean of $\phi(z)^2$.",
                "sqrt(S)": r"That is the standard deviation of $z$. Asked is the mean of "
                r"$\phi(z)$.",
            },
            variables={"S": (1.5, 6)},
        ),
    ],
    "wide-ex-linear": [
        Order(
            "Put the proof in order.",
            r"""
            - Without biases $S^1(x, x') = x \cdot x'/d$.
            - The expectation of $u u'$ is the covariance of the layer below, so $S^l(x,
              x') = x \cdot x'/d$ for all $l$.
            - As the derivative of $\phi$ is 1, the recursion for the kernel adds this
              same number in every layer.
            - It begins with $\Theta^1 = S^1$, and after $h$ layers more it has come to
              $\Theta^{h+1} = (h + 1)\, x \cdot x'/d$.
            """,
        ),
        Choice(
            "Where does the linear model end?",
            {
                "at zero loss": "The matrix of the kernel at the examples has a rank of "
                "$d$ at most.",
                "at its start": "The errors shrink along the eigenvectors with a positive "
                "eigenvalue, and there are some.",
                "at the least-squares fit": RIGHT,
                "nowhere: the outputs grow without bound": "Along an eigenvector with "
                "the eigenvalue zero the outputs do not move.",
            },
        ),
    ],
}
