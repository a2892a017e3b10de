"""Matrix factorization and the nuclear norm."""
