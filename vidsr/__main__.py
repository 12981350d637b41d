"""`python -m vidsr` is `vidsr`."""

from vidsr.cli import main

if __name__ == "__main__":
    main()
