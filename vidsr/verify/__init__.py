"""Compare two files: is the output the input with a larger picture?"""

from vidsr.verify.compare import verify_video
from vidsr.verify.findings import Finding, Verification

__all__ = ["Finding", "Verification", "verify_video"]
