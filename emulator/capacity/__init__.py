"""How many environments a machine carries, by what was measured of one. Pure functions but for reading the figures."""
