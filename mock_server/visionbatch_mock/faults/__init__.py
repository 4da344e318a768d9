"""Fault plans: what shall go wrong, named before it happens, and proof that it did."""

from visionbatch_mock.faults.grammar import Fault, Instruction, Need, UnknownInstruction, parse
from visionbatch_mock.faults.outlook import Outlook
from visionbatch_mock.faults.plans import FaultBook, FaultPlan, Met

__all__ = [
    "Fault",
    "FaultBook",
    "FaultPlan",
    "Instruction",
    "Met",
    "Need",
    "Outlook",
    "UnknownInstruction",
    "parse",
]
