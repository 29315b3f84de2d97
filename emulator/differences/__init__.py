"""In what answers to the same request differ, without what differs anyway. Pure: answers and rules in, findings out."""

from emulator.differences.comparing import compare, find_noise
from emulator.differences.expected import unused
from emulator.differences.findings import Difference, Explained, Finding, Kind, Mask, Part, Place
from emulator.differences.noise import unstable_status

__all__ = [
    "Difference",
    "Explained",
    "Finding",
    "Kind",
    "Mask",
    "Part",
    "Place",
    "compare",
    "find_noise",
    "unstable_status",
    "unused",
]
