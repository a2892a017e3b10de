"""Logistic regression: the direction of gradient descent, its rate, its use, and data that nothing separates."""
