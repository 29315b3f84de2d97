"""Runs Lambda functions as child processes under AWS's own ``awslambdaric``."""
