"""The connection forms, as data: Airflow draws them without importing a hook."""

from __future__ import annotations

from typing import Any


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


DEEPOMATIC_FIELDS: dict[str, Any] = {
    "site": _text("Site", "Label of the site from the platform's credentials page; not needed with a base URL."),
    "region": _text("Region", "Region of the site.", enum=["eu", "us1"], default="eu"),
    "upload_hosts": _text(
        "Upload hosts",
        "Hosts that archives may be sent to, separated by commas; Google's storage when empty. "
        "A mock server is written out with its scheme: http://127.0.0.1:8080",
    ),
    "allow_plain_http": {
        "label": "Allow plain http",
        "description": "Accept a base URL with http beyond this machine, which shows the key to the network.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "batches_path": _text("Batches path", "Path of the collection of batches; empty for the documented one."),
    "batch_path": _text("Batch path", "Path of one batch, with {batch_id}; empty for the documented one."),
    "errors_path": _text("Error report path", "Path of the error report, with {batch_id}; off does not ask for it."),
    "console_url": _text("Console page", "Page on which people follow a batch, with {batch_id} if it has one."),
    "status_aliases": {
        "label": "Status words",
        "description": 'Words of the site that are not known here, such as {"in_review": "running"}.',
        "schema": {"type": ["object", "null"], "format": "json"},
    },
    "transfer": {
        "label": "Transfer settings",
        "description": 'How archives travel, such as {"chunk_bytes": 33554432}.',
        "schema": {"type": ["object", "null"], "format": "json"},
    },
}

DEEPOMATIC_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login", "port", "extra"],
    "relabeling": {"host": "Base URL", "password": "API key"},
    "placeholders": {"host": "https://api.<site>.customers.deepomatic.com", "password": "key of the user's account"},
}

WEBHOOK_FIELDS: dict[str, Any] = {
    "webhook_secret": _text(
        "Webhook secret",
        "Last part of the receiver's path, 32 to 200 letters, digits, - and _; no webhooks when empty.",
        format="password",
    ),
    "webhook_base_url": _text("Webhook base URL", "How the service reaches the API server; Airflow's own when empty."),
    "webhook_inside": {
        "label": "Webhooks inside the network",
        "description": "Let the receiver's URL lead inside the network and use http, as with a mock server.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "webhook_folder": _text("Folder for results", "Where results sent by webhook are written; any path Airflow knows."),
    "webhook_folder_conn_id": _text("Connection of that folder", "Empty when the path needs none."),
}
"""What the form of a service that sends webhooks has beside its own fields."""

WEBHOOK_EXTRAS = frozenset(WEBHOOK_FIELDS)
"""Keys of the extra that belong to the receiver, and that a service's hook leaves alone."""

ROBOFLOW_FIELDS: dict[str, Any] = {
    "region": _text("Region", "Region of the workspace; not needed with a base URL.", enum=["us", "eu"], default="us"),
    "workspace": _text("Workspace", "Slug of the workspace; asked for by the key when empty."),
    "key_in": _text("Key in", "Where the key travels; query puts it into addresses.", enum=["header", "query"]),
    "upload_hosts": _text(
        "Upload hosts",
        "Hosts that files may be sent to, separated by commas; the large object stores when empty. "
        "A mock server is written out with its scheme: http://127.0.0.1:8080",
    ),
    "download_hosts": _text("Download hosts", "Hosts that results may be fetched from, in the same form."),
    "allow_plain_http": {
        "label": "Allow plain http",
        "description": "Accept a base URL with http beyond this machine, which shows the key to the network.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "allow_inside": {
        "label": "Allow addresses inside the network",
        "description": "Let references and webhooks lead inside the network and use http, as with a mock server.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "staging_path": _text("Staging path", "Path of Data Staging, with {workspace}; empty for the documented one."),
    "processing_path": _text("Processing path", "Path of Batch Processing, with {workspace}."),
    "page_size": {
        "label": "Page size",
        "description": "Entries of a page of a list.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
    },
    "status_aliases": {
        "label": "Status words",
        "description": 'Words of shards and tasks that are not known here, such as {"done": "ready"}.',
        "schema": {"type": ["object", "null"], "format": "json"},
    },
    "credit_words": _text("Credit words", "Words by which a refusal is about credits and not about speed."),
    "console_url": _text("Page for people", "Where people follow a job, with {workspace} and {job_id}."),
    **WEBHOOK_FIELDS,
    "transfer": {
        "label": "Transfer settings",
        "description": 'How files travel, such as {"max_bytes_per_s": 10000000}.',
        "schema": {"type": ["object", "null"], "format": "json"},
    },
}

ROBOFLOW_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login", "port", "extra"],
    "relabeling": {"host": "Base URL", "password": "API key"},
    "placeholders": {"host": "https://api.roboflow.com", "password": "private key of the workspace"},
}

VIAS_FIELDS: dict[str, Any] = {
    "region": _text("Region", "Region of the project, which gives the hosts.", default="cn-north-4"),
    "project_id": _text("Project id", "Id of the project; looked up by the region's name when empty."),
    "auth": _text(
        "Login is",
        "An access key, whose secret key is the password and which signs; or an IAM user with a password.",
        enum=["access_key", "user"],
        default="access_key",
    ),
    "domain": _text("Account", "Account that the IAM user belongs to; the user's own name when empty."),
    "security_token": _text("Security token", "Of a temporary access key; empty for others.", format="password"),
    "iam_url": _text("IAM URL", "Base URL of IAM, instead of the region's."),
    "obs_url": _text("OBS URL", "Base URL of OBS, where results are, instead of the region's."),
    "obs_addressing": _text(
        "OBS addressing",
        "Bucket before the host, as OBS asks; path for an S3 service on one machine.",
        enum=["virtual", "path"],
        default="virtual",
    ),
    "dis_url": _text("DIS URL", "Base URL of DIS, where result streams are, instead of the region's."),
    "allow_plain_http": {
        "label": "Allow plain http",
        "description": "Accept addresses with http beyond this machine, which shows tokens to the network.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "states_from": _text(
        "States from",
        "Counters in the list of batches, one call for all who wait; or the list of each batch's tasks.",
        enum=["batches", "tasks"],
        default="batches",
    ),
    "abnormal_s": {
        "label": "Patience with ABNORMAL",
        "description": "Seconds for which tasks in this state are waited for, since they may recover.",
        "schema": {"type": ["number", "null"], "minimum": 0, "default": 600},
    },
    "settle_s": {
        "label": "Looks for a lost creation",
        "description": "Seconds for which a batch is looked for when the answer to its creation was lost.",
        "schema": {"type": ["number", "null"], "minimum": 0, "default": 60},
    },
    "on_cancel": _text(
        "Cancelling", "What cancelling does to a batch; delete cannot be undone.", enum=["stop", "delete"]
    ),
    "endless_types": _text("Live types", "Types of video source that are live streams; known ones when empty."),
    "status_aliases": {
        "label": "Status words",
        "description": 'Words of the service that are not known here, such as {"THROTTLED": "PENDING"}.',
        "schema": {"type": ["object", "null"], "format": "json"},
    },
    "not_found_codes": _text("Codes for not found", "Error codes of a 400 that mean 404; known ones when empty."),
    "name_taken_codes": _text("Codes for a taken name", "Error codes of a 400 that say so; known ones when empty."),
    "not_allowed_codes": _text("Codes for good", "Error codes of a 500 that no second try mends."),
    "console_url": _text("Page for people", "Where people follow tasks, with {region} and {batch_id} if it has them."),
    **WEBHOOK_FIELDS,
}

VIAS_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port", "extra"],
    "relabeling": {"host": "VIAS URL", "login": "Access key or user", "password": "Secret key or password"},
    "placeholders": {"host": "https://vias.<region>.myhuaweicloud.com", "login": "AK of an IAM user"},
}
