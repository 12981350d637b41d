import os

# Small pictures gain nothing from threads, and lose much where others compute beside the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
