"""Adam, Muon, AdamW, Lion and mirror descent: which margin an optimizer maximizes, or
which constraint its weight decay is.
"""
