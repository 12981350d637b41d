"""Check that a built wheel and sdist hold what they must, and nothing else: python tests/check_dist.py dist"""

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_MB = 20  # of either; the models are 14


def sources() -> set[str]:
    """Every file of the checkout that an installed vidsr needs, as the wheel names it."""
    package = {path for suffix in ("*.py", "*.toml", "py.typed") for path in (ROOT / "vidsr").rglob(suffix)}
    names = {path.relative_to(ROOT).as_posix() for path in package}
    shelf = (path.name for pattern in ("*.onnx", "*.py", "README.md") for path in (ROOT / "export").glob(pattern))
    return names | {f"vidsr/shelf/{name}" for name in shelf}


def faults_of_wheel(wheel: Path) -> Iterator[str]:
    """What is missing from a wheel or does not belong there."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = {name for name in names if ".dist-info/" in name}
    yield from (f"{wheel.name} lacks {name}" for name in sorted(sources() - names))
    yield from (f"{wheel.name} holds {name}" for name in sorted(names - sources() - info))
    if not any(name.endswith("licenses/LICENSE") for name in info):
        yield f"{wheel.name} lacks LICENSE"


def faults_of_sdist(sdist: Path) -> Iterator[str]:
    """What is missing from an sdist: it must be enough to build, test and document."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {f"export/{name.split('/')[-1]}" if "/shelf/" in name else name for name in sources()}
    others = {"LICENSE", "README.md", "pyproject.toml", "docs/index.md", "samples/clip.mp4", "tests/conftest.py"}
    yield from (f"{sdist.name} lacks {name}" for name in sorted((package | others) - names))
    yield from (f"{sdist.name} holds {name}" for name in sorted(names) if name.startswith((".venv", "runs/", "site/")))


def main(folder: Path) -> int:
    """Print what is wrong with the wheel and the sdist in a folder; the exit code says whether anything is."""
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    faults = [f"{folder} holds {len(wheels)} wheels and {len(sdists)} sdists; expected one of each"]
    if len(wheels) == len(sdists) == 1:
        faults = [*faults_of_wheel(wheels[0]), *faults_of_sdist(sdists[0])]
        sizes = {path.name: path.stat().st_size / 1e6 for path in (*wheels, *sdists)}
        faults += [f"{name} has {size:.0f} MB, more than {MOST_MB}" for name, size in sizes.items() if size > MOST_MB]
    print("\n".join(faults) or f"{wheels[0].name} and {sdists[0].name} are complete")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
