"""The workshop: eight labs, each with a text, checks of real state, hints, and a solution that can be played."""
