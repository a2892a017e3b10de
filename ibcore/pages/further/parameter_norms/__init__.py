"""What a small norm of the parameters means for the function."""
