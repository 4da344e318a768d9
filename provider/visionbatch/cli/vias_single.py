"""``visionbatch vias task`` and what there is to choose from: single tasks, sources, groups, algorithms, edge pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.bodies import body_in
from visionbatch.model.policy import OnPartial
from visionbatch.model.text import printable
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_answers import require_tasks
from visionbatch.vias.single_task import SingleTask

Opened = Callable[[Mapping[str, Any]], Vias]
"""The client that the group's options describe."""

DONE = {"start": "started", "stop": "stopped", "delete": "deleted"}


class Told(Protocol):
    """An entry of a list."""

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, without anything that may be secret."""


def single_commands(client: Opened) -> list[click.Command]:
    """The commands, for a group whose options name the account."""
    group = click.Group("task", help="Single tasks, which belong to no batch.")
    for command in (_list(client), _show(client), _create(client), *(_action(client, word) for word in DONE)):
        group.add_command(command)
    lists: dict[str, tuple[str, Callable[[Vias, str], Sequence[Told]]]] = {
        "sources": ("List the video sources of the project.", lambda site, name: site.sources.list(name)),
        "groups": ("List the groups of video sources.", lambda site, name: site.groups.list(name)),
        "algorithms": ("List the algorithms, with the words that a body names them by.", _algorithms),
        "pools": ("List the pools of edge nodes.", lambda site, name: _named(site.edge_pools(), name)),
    }
    return [group, *(_listing(client, word, *told) for word, told in lists.items())]


def _listing(client: Opened, word: str, about: str, found: Callable[[Vias, str], Sequence[Told]]) -> click.Command:
    @click.command(word, help=f"{about}\n\nNAME: part of their names.")
    @click.argument("name", default="")
    @click.pass_obj
    def listing(options: Mapping[str, Any], *, name: str) -> None:
        with client(options) as site:
            entries = found(site, name)
        _tell(options, word, entries)

    return listing


def _algorithms(site: Vias, name: str) -> Sequence[Told]:
    return [entry for entry in site.algorithms() if name.lower() in f"{entry.title} {entry.api}".lower()]


def _named(entries: Sequence[Any], name: str) -> Sequence[Told]:
    return [entry for entry in entries if name.lower() in entry.name.lower()]


def _list(client: Opened) -> click.Command:
    @click.command("list")
    @click.argument("name", default="")
    @click.option("--batch", default="", help="Id of a batch: only its tasks.")
    @click.option("--state", default="", help="Only tasks in this state, such as RUNNING.")
    @click.pass_obj
    def list_(options: Mapping[str, Any], *, name: str, batch: str, state: str) -> None:
        """List tasks, those of batches too, the newest first.

        NAME: part of their names.
        """
        with client(options) as site:
            entries = site.single.list(name=name, batch_id=batch, state=state.upper())
        _tell(options, "tasks", entries)

    return list_


def _show(client: Opened) -> click.Command:
    @click.command("show")
    @click.argument("task_id")
    @click.pass_obj
    def show(options: Mapping[str, Any], *, task_id: str) -> None:
        """Print the state of a task, and what is wrong with it."""
        with client(options) as site:
            entry = site.single.show(task_id)
        answer(options, entry.to_json(), f"{entry.state} {entry.trouble}".rstrip())

    return show


def _create(client: Opened) -> click.Command:
    @click.command("create")
    @click.argument("body", type=Path)
    @click.option("--on-partial", default="fail", show_default=True, help="fail, warn, accept, accept:5 or accept:2%.")
    @click.pass_obj
    def create(options: Mapping[str, Any], *, body: Path, on_partial: str) -> None:
        """Make single tasks from a JSON file, as the vendor documents its request body: one for each input.

        Unlike the create of batches it keeps no record: the same command again makes other tasks, unless the service
        refuses their name.
        """
        policy, task = OnPartial.parse(on_partial), SingleTask.from_json(body_in(body))
        with client(options) as site:
            made = site.single.create(task)
        require_tasks(made.answer, policy, "made")
        answer(options, made.to_json(), "\n".join(made.task_ids))

    return create


def _action(client: Opened, word: str) -> click.Command:
    @click.command(word, help=f"{word.capitalize()} a task.")
    @click.argument("task_id")
    @click.pass_obj
    def action(options: Mapping[str, Any], *, task_id: str) -> None:
        with client(options) as site:
            done = getattr(site.single, word)(task_id)
        if done is None:
            answer(options, {"task_id": task_id, "gone": True}, f"task {task_id} is gone already")
            return
        require_tasks(done.answer, OnPartial.parse("fail"), DONE[word])
        answer(options, done.to_json(), f"task {task_id}: {DONE[word]}")

    return action


def _tell(options: Mapping[str, Any], word: str, entries: Sequence[Told]) -> None:
    rows = [entry.to_json() for entry in entries]
    lines = ["  ".join(printable(str(item)) for item in row.values() if item not in ("", None)) for row in rows]
    answer(options, {word: rows}, "\n".join(lines) or f"there are no {word}")
