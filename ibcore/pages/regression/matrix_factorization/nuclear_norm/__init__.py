"""Matrix factorization and the nuclear norm: where it is minimized, where rank decides, and where they part."""
