"""Finds in a service's source what keeps it from running unchanged in every environment."""
