"""The paper's own system: E, V and R of "From Image to Imuge" (ACM MM 2021), and nothing else."""
