"""The default family: E, V and R over a keyed lattice."""
