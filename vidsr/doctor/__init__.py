"""What is here, what works, and the command that brings what is missing: `examine()`. Nothing leaves the machine."""

from vidsr.doctor.diagnosis import Report, examine

__all__ = ["Report", "examine"]
