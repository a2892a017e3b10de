"""Logistic regression: direction, rate, use, and data that nothing separates."""
