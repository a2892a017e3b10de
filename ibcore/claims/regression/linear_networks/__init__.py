"""Claims about linear networks with the square loss."""
