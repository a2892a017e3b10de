"""What a bound on the sharpness says of the function that a network computes."""
