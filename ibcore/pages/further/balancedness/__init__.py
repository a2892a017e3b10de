"""What gradient flow conserves between the layers of a network."""
