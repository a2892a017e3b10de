"""Other optimizers on the same data: which limits they share with gradient flow, and
which are their own.
"""
