"""Measuring what imuge does: pictures are immunized, tampered with, attacked, verified and recovered.

- `suites`: which cases.  `gallery`: the pictures.  `cases`: one case.  `worker`: one picture after the other.
- `parallel`: several workers side by side.  `run`: the whole suite.
- `rows` -> `aggregate` -> `goals` -> `tables` -> `store` and `readme`: from single cases to the printed page.
- `sheet`: what it looks like.  `speed`: time and memory of the command line.  `batches`: many files in one call.

Everything goes through the public interface, with pictures as they are after a file was written and read.
"""

from imuge_cli.benchmark.batches import run_batches
from imuge_cli.benchmark.run import run_bench
from imuge_cli.benchmark.speed import run_speed

__all__ = ["run_batches", "run_bench", "run_speed"]
