import os
import signal

from hypothesis import settings

# The same examples in every run, so that what fails has changed; HYPOTHESIS_PROFILE=default draws new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Small pictures gain nothing from threads, and lose much where others compute beside the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same model on every machine, and no time spent on measuring; tests of the choice switch it on.
os.environ.setdefault("VIDSR_MEASURE", "0")

# Under nohup, or behind a shell's `&`, signals are ignored, and so they would be in the commands that the tests start.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
