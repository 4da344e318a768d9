"""Cuts very many members into shards, plans each of them, and prints what that took as JSON."""

from __future__ import annotations

import json
import sys

from support.memory import peak_memory
from visionbatch.model.tree import Member
from visionbatch.transfer.shards import ShardLimits, Shards

if __name__ == "__main__":
    count, most = int(sys.argv[1]), int(sys.argv[2])
    listed = (Member(f"line_{n % 20}/camera_{n % 7}/{n:08}.jpg", 50_000 + n % 999, b"head") for n in range(count))
    shards = Shards("million", listed, ShardLimits(members=most))
    lengths = sorted({len(plan) for plan in shards})
    sys.stdout.write(json.dumps({"shards": len(shards), "lengths": lengths, "peak": peak_memory()}))
