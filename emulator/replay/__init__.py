"""Recorded requests, sent again: the regression test before a promotion."""
