from __future__ import annotations

import os

from hypothesis import settings

# The tests run side by side (pytest -n auto): one thread each is faster than all of them fighting for all cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test depends on how fast the machine is (what is said of speed comes from `imuge bench`), nor on chance: every run
# tries the same examples, so that a failure comes from a change.
settings.register_profile("imuge", deadline=None, derandomize=True)
settings.load_profile("imuge")
