"""What an implicit regularizer is, mirror flow, and when gradient flow is one."""
