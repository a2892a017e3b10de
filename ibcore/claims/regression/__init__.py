"""Claims of the regression section."""
