"""Pipelines as files: read into plans, and run on this machine as their CI system would run them."""
