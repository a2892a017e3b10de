"""Steps that are too large for gradient flow: what is stable on average, and why."""
