"""Questions of the exercises of the page on privacy."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "privacy-ex-sign": Order(
        "Put the proof in order.",
        r"""
        - The activation is odd, and there are no biases: $f_\theta(-x) = -f_\theta(x)$.
        - So $-y_{ik}\, f_k(-x_i) = y_{ik}\, f_k(x_i)$ at all parameters.
        - The logistic loss sees the data through the numbers $y_{ik}\, f_k(x_i)$ alone,
          and weight decay does not see them at all.
        - Therefore the loss of $(-x_i, -y_i)$ is the same function of $\theta$ as that
          of $(x_i, y_i)$.
        - Equal functions have the same stationary points.
        """,
        needs={2: (), 3: (1, 2)},
    ),
    "privacy-ex-landscape": [
        Order(
            r"Let $g(w, b) = \sum_i c_i \tanh(w \cdot x_i + b)$. Put the proof in order.",
            r"""
            - By {eq}`eq-privacy-identity` for the outgoing weights, $V_j = g(w_j, b_j)$.
            - At $(w_j, b_j)$ the gradient of $\frac12 \|g\|^2$ is therefore $\sum_i (V_j
              \cdot c_i)(1 - h_{ij}^2)\, (x_i, 1)$.
            - By {eq}`eq-privacy-identity` for the weights below, this is $(w_j, b_j)$.
            - The gradient of $\frac12 \|w\|^2 + \frac12 b^2$ is $(w_j, b_j)$ there as
              well.
            - So the gradient of $G$, the difference of the two, vanishes.
            """,
            needs={3: (), 4: (2, 3)},
        ),
        Choice(
            "What is the last term of $G$ at $(w_j, b_j)$?",
            {
                r"$-\frac12 \|V_j\|^2$": RIGHT,
                r"$-\frac12 \|V_j\|$": "It is half of a squared length.",
                r"$-\frac12 \|V_j\|^2 \|h_j\|^2$": r"The values of $\tanh$ are inside the "
                "sum already, which is $V_j$ itself.",
                r"$-\frac12 (\|w_j\|^2 + b_j^2)$": "The gradients of the two parts agree "
                "there. Their values need not.",
            },
        ),
    ],
    "privacy-ex-early": [
        Formula(
            "By which factor has the part outside the span been multiplied after the "
            r"time $t$ of gradient flow with weight decay $\lambda$?",
            "exp(-lambda*t)",
            {
                "exp(-lambda*t/2)": r"The gradient of $\frac\lambda2 \|\theta\|^2$ is "
                r"$\lambda\theta$.",
                "exp(-2*lambda*t)": r"The gradient of $\frac\lambda2 \|\theta\|^2$ is "
                r"$\lambda\theta$.",
                "1 - lambda*t": "That is how it begins.",
                "1": "The gradient of the loss does not touch that part. Weight decay "
                "does.",
            },
            variables={"lambda": (0.1, 1), "t": (0.5, 4)},
        ),
        Number(
            r"How long does it take to a millionth of what it was, for $\lambda = 0.005$?",
            "log(10^6)/0.005",
            {
                "6/0.005": "That is with the logarithm to the base ten.",
                "log(10^6)": r"That is in units of $1/\lambda$.",
                "10^6/0.005": "The decay is exponential.",
            },
            tolerance=0.02,
        ),
        Choice(
            "Training is stopped after 300 steps. Does the attack find the digits?",
            {
                "yes": "Compare the weights outside the span with what the attack needs: "
                "it takes the rows of $[W\\ b]$ at their word.",
                "no": RIGHT,
            },
        ),
    ],
}
