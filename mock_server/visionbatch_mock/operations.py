"""The named operations of the mock, which fault plans and the journal speak of."""

from enum import StrEnum


class Surface(StrEnum):
    """Kinds of operation, by what can go wrong with them."""

    CALL = "call"
    """A small request with a JSON answer."""
    SESSION = "session"
    """A request on an upload session URL."""
    UPLOAD = "upload"
    """Making an object: initiation of a session, or a whole object in one request."""
    DOWNLOAD = "download"
    """Reading an object's content."""
    READ = "read"
    """Reading an object: its content or its description, as Google's own names do not tell apart."""
    LINK = "link"
    """Reading a file by a temporary link."""
    PUT = "put"
    """Writing a file by a temporary link, whole and in one request."""
    LIST = "list"
    """A call with a JSON answer that comes in pages."""


class Operation(StrEnum):
    """What a request asks for. Routes declare theirs with a decorator."""

    BATCHES_CREATE = "deepomatic.batches.create"
    BATCHES_GET = "deepomatic.batches.get"
    BATCHES_DELETE = "deepomatic.batches.delete"
    BATCHES_LIST = "deepomatic.batches.list"
    BATCHES_ERRORS = "deepomatic.batches.errors"
    BATCHES_WORK_ORDERS = "deepomatic.batches.work_orders"
    WORK_ORDERS_CREATE = "deepomatic.work_orders.create"
    WORK_ORDERS_GET = "deepomatic.work_orders.get"
    WORK_ORDERS_LIST = "deepomatic.work_orders.list"
    WORK_ORDERS_UPDATE = "deepomatic.work_orders.update"
    WORK_ORDERS_DELETE = "deepomatic.work_orders.delete"
    WORK_ORDERS_ANALYZE = "deepomatic.work_orders.analyze"
    WORK_ORDERS_CORRECT = "deepomatic.work_orders.correct"
    TASK_GROUPS_LIST = "deepomatic.task_groups.list"
    SESSIONS_CHUNK = "storage.sessions.chunk"
    SESSIONS_PROBE = "storage.sessions.probe"
    SESSIONS_CANCEL = "storage.sessions.cancel"
    SESSIONS_ANY = "storage.sessions.any"
    """In plans only: a chunk or a probe, whichever comes."""
    OBJECTS_INSERT = "storage.objects.insert"
    OBJECTS_GET = "storage.objects.get"
    """In plans: a description or a content, whichever comes."""
    OBJECTS_DOWNLOAD = "storage.objects.download"
    OBJECTS_PATCH = "storage.objects.patch"
    OBJECTS_REWRITE = "storage.objects.rewrite"
    OBJECTS_LIST = "storage.objects.list"
    OBJECTS_DELETE = "storage.objects.delete"
    PARTS_BEGIN = "storage.parts.begin"
    """Uploads in parts are of the XML API alone."""
    PARTS_PUT = "storage.parts.put"
    PARTS_COMPLETE = "storage.parts.complete"
    PARTS_ABORT = "storage.parts.abort"
    BUCKETS_GET = "storage.buckets.get"
    BUCKETS_LIST = "storage.buckets.list"
    BUCKETS_INSERT = "storage.buckets.insert"
    BUCKETS_DELETE = "storage.buckets.delete"
    BUCKETS_TEST_PERMISSIONS = "storage.buckets.testIamPermissions"
    EXPORTS_LINK = "exports.link"
    """The temporary link of an export's mail."""
    IAM_TOKENS_CREATE = "iam.tokens.create"
    IAM_PROJECTS_LIST = "iam.projects.list"
    VIAS_BATCH_TASKS_CREATE = "vias.batch_tasks.create"
    VIAS_BATCH_TASKS_LIST = "vias.batch_tasks.list"
    VIAS_BATCH_TASKS_UPDATE = "vias.batch_tasks.update"
    VIAS_BATCH_TASKS_DELETE = "vias.batch_tasks.delete"
    VIAS_BATCH_TASKS_START = "vias.batch_tasks.start"
    VIAS_BATCH_TASKS_STOP = "vias.batch_tasks.stop"
    VIAS_TASKS_CREATE = "vias.tasks.create"
    VIAS_TASKS_LIST = "vias.tasks.list"
    VIAS_TASKS_SHOW = "vias.tasks.show"
    VIAS_TASKS_UPDATE = "vias.tasks.update"
    VIAS_TASKS_DELETE = "vias.tasks.delete"
    VIAS_TASKS_START = "vias.tasks.start"
    VIAS_TASKS_STOP = "vias.tasks.stop"
    VIAS_SOURCES_CREATE = "vias.sources.create"
    VIAS_SOURCES_LIST = "vias.sources.list"
    VIAS_SOURCES_SHOW = "vias.sources.show"
    VIAS_SOURCES_UPDATE = "vias.sources.update"
    VIAS_SOURCES_DELETE = "vias.sources.delete"
    VIAS_GROUPS_CREATE = "vias.groups.create"
    VIAS_GROUPS_LIST = "vias.groups.list"
    VIAS_GROUPS_SHOW = "vias.groups.show"
    VIAS_GROUPS_UPDATE = "vias.groups.update"
    VIAS_GROUPS_DELETE = "vias.groups.delete"
    VIAS_STREAMS_SHOW = "vias.streams.show"
    VIAS_STREAMS_CURSOR = "vias.streams.cursor"
    VIAS_STREAMS_RECORDS = "vias.streams.records"
    VIAS_SERVICES_LIST = "vias.services.list"
    VIAS_SERVICES_SHOW = "vias.services.show"
    VIAS_ALGORITHMS_DEPLOY = "vias.algorithms.deploy"
    VIAS_ALGORITHMS_STOP = "vias.algorithms.stop"
    VIAS_EDGE_POOLS_CREATE = "vias.edge_pools.create"
    VIAS_EDGE_POOLS_LIST = "vias.edge_pools.list"
    VIAS_EDGE_POOLS_SHOW = "vias.edge_pools.show"
    VIAS_EDGE_POOLS_DELETE = "vias.edge_pools.delete"
    ROBOFLOW_WORKSPACE = "roboflow.workspace.get"
    ROBOFLOW_BATCHES_LIST = "roboflow.batches.list"
    ROBOFLOW_BATCHES_GET = "roboflow.batches.get"
    ROBOFLOW_BATCHES_COUNT = "roboflow.batches.count"
    ROBOFLOW_BATCHES_SHARDS = "roboflow.batches.shards"
    ROBOFLOW_BATCHES_PARTS = "roboflow.batches.parts"
    ROBOFLOW_BATCHES_CONTENT = "roboflow.batches.content"
    ROBOFLOW_IMAGES_UPLOAD = "roboflow.images.upload"
    ROBOFLOW_IMAGES_REFER = "roboflow.images.refer"
    ROBOFLOW_IMAGES_QUERY = "roboflow.images.query"
    ROBOFLOW_VIDEOS_SIGN = "roboflow.videos.sign"
    ROBOFLOW_VIDEOS_REFER = "roboflow.videos.refer"
    ROBOFLOW_SHARDS_SIGN = "roboflow.shards.sign"
    ROBOFLOW_JOBS_LIST = "roboflow.jobs.list"
    ROBOFLOW_JOBS_CREATE = "roboflow.jobs.create"
    ROBOFLOW_JOBS_GET = "roboflow.jobs.get"
    ROBOFLOW_JOBS_STAGES = "roboflow.jobs.stages"
    ROBOFLOW_JOBS_TASKS = "roboflow.jobs.tasks"
    ROBOFLOW_JOBS_LOGS = "roboflow.jobs.logs"
    ROBOFLOW_JOBS_ABORT = "roboflow.jobs.abort"
    ROBOFLOW_JOBS_RESTART = "roboflow.jobs.restart"
    ROBOFLOW_FILES_PUT = "roboflow.files.put"
    """The body of a shard or video on its signed URL."""
    ROBOFLOW_FILES_GET = "roboflow.files.get"
    """A file of a batch on its signed URL."""

    @property
    def surface(self) -> Surface:
        """The kind of this operation."""
        if self.startswith("storage.sessions."):
            return Surface.SESSION
        return _SURFACES.get(self, Surface.CALL)

    @property
    def plan_names(self) -> tuple["Operation", ...]:
        """The names under which a fault plan may address a request for this operation."""
        if self in {Operation.SESSIONS_CHUNK, Operation.SESSIONS_PROBE}:
            return (self, Operation.SESSIONS_ANY)
        if self is Operation.OBJECTS_DOWNLOAD:
            return (self, Operation.OBJECTS_GET)
        return (self,)

    @property
    def retry_test_names(self) -> tuple["Operation", ...]:
        """The same for Google's retry tests, which know objects and no sessions.

        There initiation, chunks and probes all count as inserting, and cancelling as deleting; so do here the calls of
        an upload in parts.
        """
        if self in {Operation.SESSIONS_CANCEL, Operation.PARTS_ABORT}:
            return (Operation.OBJECTS_DELETE,)
        if self is Operation.OBJECTS_DOWNLOAD:
            return (Operation.OBJECTS_GET, self)
        inserts = self.surface is Surface.SESSION or self.startswith("storage.parts.")
        return (Operation.OBJECTS_INSERT,) if inserts else (self,)


_SURFACES = {
    Operation.OBJECTS_INSERT: Surface.UPLOAD,
    Operation.OBJECTS_GET: Surface.READ,
    Operation.OBJECTS_DOWNLOAD: Surface.DOWNLOAD,
    Operation.EXPORTS_LINK: Surface.LINK,
    Operation.OBJECTS_LIST: Surface.LIST,
    Operation.PARTS_PUT: Surface.UPLOAD,
    Operation.PARTS_COMPLETE: Surface.UPLOAD,
    Operation.ROBOFLOW_BATCHES_LIST: Surface.LIST,
    Operation.ROBOFLOW_BATCHES_SHARDS: Surface.LIST,
    Operation.ROBOFLOW_BATCHES_CONTENT: Surface.LIST,
    Operation.ROBOFLOW_JOBS_LIST: Surface.LIST,
    Operation.ROBOFLOW_JOBS_TASKS: Surface.LIST,
    Operation.ROBOFLOW_JOBS_LOGS: Surface.LIST,
    Operation.ROBOFLOW_IMAGES_UPLOAD: Surface.UPLOAD,
    Operation.ROBOFLOW_FILES_PUT: Surface.PUT,
    Operation.ROBOFLOW_FILES_GET: Surface.LINK,
}
