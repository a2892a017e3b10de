"""Mirror descent on separable data: its potential chooses the norm whose margin it
maximizes.
"""
