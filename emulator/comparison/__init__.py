"""Environments held against each other, and against what was deployed into them."""
