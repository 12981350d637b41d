"""The bar of jobs that resume: killed at random moments and resumed, twenty of twenty films are the same bytes.

    python tests/bars/kills.py [--kills 20] [--model live-x2] [--codec libx264] [--suffix mkv]

Each time a run is killed (SIGKILL) at random moments of its life, then left to end; fresh memory is filled with another
byte in every run (glibc's MALLOC_PERTURB_). Prints how many films equal that of a run which nothing stopped.
"""

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.clips import video


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--model", default="live-x2")
    parser.add_argument("--codec", default="libx264")
    parser.add_argument("--suffix", default="mkv")
    parser.add_argument("--frames", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = video(folder / "clip.mkv", times=range(0, asked.frames * 40, 40), size=(160, 90))
        options = ["-q", "--model", asked.model, "--codec", asked.codec]
        began = time.monotonic()
        whole = run(source, folder / f"whole.{asked.suffix}", options, None, chance)
        assert whole, "the run that nothing stops did not end"
        life = time.monotonic() - began
        wanted = digest(folder / f"whole.{asked.suffix}")
        print(f"a run that nothing stops takes {life:.1f} s and makes {wanted[:16]}", flush=True)
        same = 0
        for number in range(asked.kills):
            target = folder / f"{number}.{asked.suffix}"
            stopped: list[str] = []
            wanted_kills = chance.randint(1, 3)
            while len(stopped) < wanted_kills:
                moment = chance.uniform(0.1, 0.9) * life
                if not run(source, target, options, moment, chance):
                    stopped.append(f"{moment:.1f}")
                elif stopped:
                    break
                else:  # it was faster than before: once more, from nothing
                    target.unlink()
                    life = moment
            if not target.exists():
                run(source, target, options, None, chance)
            equal = digest(target) == wanted
            left = target.with_name(f"{target.name}.vidsr").exists()
            same += equal and not left
            print(f"{number:2}: killed after {', '.join(stopped) or '-'} s: {'same' if equal else 'OTHER'}", flush=True)
            target.unlink()
            shutil.rmtree(target.with_name(f"{target.name}.vidsr"), ignore_errors=True)
        print(f"{same} of {asked.kills} are the same bytes")


def run(source: Path, target: Path, options: list[str], moment: float | None, chance: random.Random) -> bool:
    """Run until the end or until killed after `moment` seconds; whether it ended."""
    command = [sys.executable, "-m", "vidsr", "upscale", "--resume", *options, str(source), str(target)]
    perturbed = {**os.environ, "MALLOC_PERTURB_": str(chance.randint(1, 255))}
    with subprocess.Popen(command, env=perturbed, cwd=Path(__file__).parents[2]) as process:
        try:
            code = process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    if code == 6 and target.exists():  # killed between the film's appearing and the end
        return True
    assert code == 0, f"it ended with {code}"
    return True


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
