"""A process that reads chunks of an export for another one, which starts it with `command`.

It is a program of its own and nothing of `multiprocessing` but its framing of messages: a worker of Airflow's may not
have children of that kind, and theirs would run the caller's main module again.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection

import pyarrow as pa

from visionbatch.deepomatic.export_schema import Table
from visionbatch.io.jsonl import Block
from visionbatch.pipelines.export_chunks import ChunkReader, FileChunk, Portion, use_system_memory
from visionbatch.pipelines.export_settings import TableSettings
from visionbatch.pipelines.quarantine import Refused


def command(handle: int, settings: TableSettings) -> list[str]:
    """What starts the process.

    :param handle: its end of the wire, which it inherits.
    """
    return [sys.executable, "-P", "-m", __spec__.name, str(handle), json.dumps(asdict(settings))]


def send_chunk(wire: Connection, chunk: FileChunk) -> None:
    """Give a worker its next chunk."""
    head = {"file": chunk.file, "source": chunk.source, "numbers": [block.number for block in chunk.blocks]}
    wire.send_bytes(json.dumps(head).encode())
    for block in chunk.blocks:
        wire.send_bytes(block.content)


def receive_portion(wire: Connection) -> Portion:
    """What a worker made of its chunk.

    :raises EOFError: when it is no more.
    """
    head = json.loads(wire.recv_bytes())
    tables = {table: pa.ipc.open_stream(wire.recv_bytes()).read_all() for table in Table}
    return Portion(head["file"], head["records"], tables, [Refused(**line) for line in head["broken"]])


def _receive_chunk(wire: Connection) -> FileChunk:
    head = json.loads(wire.recv_bytes())
    return FileChunk(head["file"], head["source"], [Block(number, wire.recv_bytes()) for number in head["numbers"]])


def _send_portion(wire: Connection, portion: Portion) -> None:
    broken = [asdict(line) for line in portion.broken]
    wire.send_bytes(json.dumps({"file": portion.file, "records": portion.records, "broken": broken}).encode())
    for rows in portion.tables.values():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        wire.send_bytes(memoryview(sink.getvalue()))


def main() -> None:
    """Answer until the other side is gone."""
    # Ctrl-C reaches all processes of a terminal; the one that writes decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As in the process that writes: no cycle is ever made.
    gc.disable()
    use_system_memory()
    handle, settings = sys.argv[1:]
    reader = ChunkReader(TableSettings(**json.loads(settings)))
    with Connection(int(handle)) as wire:
        while True:
            try:
                chunk = _receive_chunk(wire)
                _send_portion(wire, reader.read(chunk))
            except (EOFError, ConnectionError):
                return


if __name__ == "__main__":
    main()
