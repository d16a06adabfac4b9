"""The command line: a thin skin over the library. Typer and Rich live here and nowhere else."""
