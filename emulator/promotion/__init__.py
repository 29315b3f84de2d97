"""Releases on their way: gates, approvals, verification, rollback."""
