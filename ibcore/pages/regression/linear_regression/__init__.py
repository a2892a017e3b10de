"""Least squares: which of the fitting predictors a method finds."""
