from __future__ import annotations

import os

# The tests run side by side (pytest -n auto): one thread each is faster than all of them fighting for all cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
