"""Further sets of a project's environments, each a space of its own."""
