"""The board: which learner has passed what, on a page of the facilitator's machine."""
