"""Claims about matrix factorization."""
