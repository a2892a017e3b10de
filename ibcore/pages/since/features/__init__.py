"""How features come about: saddle by saddle, by weight decay, by the largest margin, and
in networks that are nearly homogeneous.
"""
