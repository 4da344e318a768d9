"""Starting, stopping, deleting and changing tasks of Huawei Cloud VIAS from a Dag: whole batches, and single ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch._compat import BaseOperator
from airflow_visionbatch.batch_tasks import batch_id_in, batch_task_of
from airflow_visionbatch.failures import failing_for_good, with_retry_policy

if TYPE_CHECKING:
    from visionbatch import Vias

UPDATED_FIELDS = ("name", "groups", "outputs", "description", "schedule", "common", "resource_order_id", "extra_body")
"""Fields of `visionbatch.BatchTask` that an update may change: not the algorithm."""


class _Action(BaseOperator):
    """Does one thing, and judges the answer: HTTP 200 does not mean that it was done to all, or at all.

    What was done already is done again by a retry, and comes to the same.

    :param vias_conn_id: connection of type ``huawei_vias``. Templated.
    """

    done: ClassVar[str]
    """What was done to a task, in one word."""
    noun: ClassVar[str]
    """To what it is done, for people."""
    on_partial = "fail"

    template_fields: Sequence[str] = ("vias_conn_id",)
    ui_color = "#fbe9e7"

    def __init__(self, *, vias_conn_id: str = "huawei_vias_default", **kwargs: Any) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.vias_conn_id = vias_conn_id

    @abstractmethod
    def _subject(self) -> str:
        """Id of what it is done to."""

    @abstractmethod
    def _act(self, client: Vias, subject: str) -> Any:
        """Do it, and give the answer; ``None`` when there is no such thing, and that is as good."""

    def _judged(self, told: Any) -> Any:
        """The part of an answer that says to how many tasks it was done."""
        return told

    def execute(self, context: Any) -> dict[str, Any]:
        """Do it, and judge the answer."""
        from airflow_visionbatch.hooks.vias import ViasHook
        from visionbatch import OnPartial, require_tasks

        with failing_for_good(), ViasHook(self.vias_conn_id).get_conn() as client:
            policy = OnPartial.parse(self.on_partial)
            subject = self._subject()
            told = self._act(client, subject)
            if told is None:
                self.log.info("%s %s is gone already", self.noun, subject)
                return {f"{self.noun}_id": subject, "gone": True}
            require_tasks(self._judged(told), policy, self.done)
            self.log.info("%s %s: %s, %s", self.noun, subject, self.done, self._judged(told))
            value: dict[str, Any] = told.to_json()
            return value


class _BatchTaskAction(_Action):
    """Does one thing to all tasks of a batch.

    Returns the answer: ``batch_id``, ``total``, ``succeeded``, ``failed``, ``errors``.

    :param batch_id: id of the batch, or the manifest of `ViasCreateBatchTaskOperator`. Templated.
    :param on_partial: what tasks to which it could not be done mean: ``fail``, ``warn``, ``accept``,
        ``accept:<number>`` or ``accept:<share>%``; none at all is always a failure. Templated.
    """

    noun = "batch"

    template_fields: Sequence[str] = ("batch_id", "on_partial", *_Action.template_fields)

    def __init__(self, *, batch_id: Any, on_partial: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.on_partial = on_partial

    def _subject(self) -> str:
        return batch_id_in(self.batch_id)


class _SingleTaskAction(_Action):
    """Does one thing to a single task.

    Returns the answer: ``task_id``, ``status``, ``message``.

    :param vias_task_id: id of the task at the service. Templated.
    """

    noun = "task"

    template_fields: Sequence[str] = ("vias_task_id", *_Action.template_fields)

    def __init__(self, *, vias_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vias_task_id = vias_task_id

    def _subject(self) -> str:
        return self.vias_task_id

    def _judged(self, told: Any) -> Any:
        return told.answer


class ViasStartBatchTaskOperator(_BatchTaskAction):
    """Start the tasks of a batch."""

    done = "started"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.start(subject)


class ViasStopBatchTaskOperator(_BatchTaskAction):
    """Stop the tasks of a batch; they can be started again."""

    done = "stopped"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.stop(subject)


class ViasDeleteBatchTaskOperator(_BatchTaskAction):
    """Delete a batch and its tasks; one that is gone already is a success."""

    done = "deleted"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.delete(subject)


class ViasUpdateBatchTaskOperator(_BatchTaskAction):
    """Give a batch another configuration; its algorithm stays, for the service changes none.

    The service takes whole configurations: what is not given is not kept.

    :param body: the request body as the vendor documents it, a mapping or a text of JSON, or a
        `visionbatch.BatchTask`; with the algorithm's name and version, by which it is checked. Templated.
    :param fields: what differs from the body: ``name``, ``groups``, ``outputs``, ``description``, ``schedule``,
        ``common``, ``resource_order_id``, ``extra_body`` of `visionbatch.BatchTask`. Templated.
    """

    done = "changed"

    template_fields: Sequence[str] = (*_BatchTaskAction.template_fields, "body", "fields")
    template_fields_renderers: ClassVar[dict[str, str]] = {"body": "json", "fields": "json"}

    def __init__(self, *, body: Any, fields: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = body
        self.fields = fields or {}

    def _act(self, client: Vias, subject: str) -> Any:
        from visionbatch.errors import ConfigError

        if strange := sorted(set(self.fields) - set(UPDATED_FIELDS)):
            raise ConfigError(f"an update changes {', '.join(UPDATED_FIELDS)}, not {', '.join(strange)}")
        return client.update(subject, batch_task_of(self.body, self.fields))


class ViasStartTaskOperator(_SingleTaskAction):
    """Start a single task."""

    done = "started"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.single.start(subject)


class ViasStopTaskOperator(_SingleTaskAction):
    """Stop a single task; it can be started again."""

    done = "stopped"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.single.stop(subject)


class ViasDeleteTaskOperator(_SingleTaskAction):
    """Delete a single task; one that is gone already is a success."""

    done = "deleted"

    def _act(self, client: Vias, subject: str) -> Any:
        return client.single.delete(subject)
