"""The lab: the same mistakes made in a stack that environments share, and in stacks of their own."""
