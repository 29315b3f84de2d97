"""Commands."""

COMMANDS: tuple[()] = ()
