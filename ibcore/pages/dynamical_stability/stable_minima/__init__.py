"""Which minima a step size can stay in, and how the batch size enters."""
