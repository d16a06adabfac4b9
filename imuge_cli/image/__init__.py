"""Pictures at the edges: reading, writing, naming, and the size the lattice works at."""
