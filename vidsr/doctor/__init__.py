"""`examine()` reports what this machine has, what works, and what installs the rest. Nothing leaves the machine."""

from vidsr.doctor.diagnosis import Diagnosis, examine

__all__ = ["Diagnosis", "examine"]
