"""What Airflow reads to learn about this provider, without importing anything else of it."""

from __future__ import annotations

from typing import Any

from airflow_visionbatch.connection_form import (
    DEEPOMATIC_BEHAVIOUR,
    DEEPOMATIC_FIELDS,
    ROBOFLOW_BEHAVIOUR,
    ROBOFLOW_FIELDS,
    VIAS_BEHAVIOUR,
    VIAS_FIELDS,
)


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "visionbatch",
        "name": "visionbatch",
        "description": "Send photos and videos in bulk to visual-inspection services and collect the verdicts.",
        "integrations": [
            {
                "integration-name": "Deepomatic",
                "external-doc-url": "https://docs.deepomatic.com",
                "tags": ["service"],
            },
            {
                "integration-name": "Roboflow",
                "external-doc-url": "https://docs.roboflow.com/deploy/batch-processing",
                "tags": ["service"],
            },
            {
                "integration-name": "Huawei Cloud VIAS",
                "external-doc-url": "https://support.huaweicloud.com/intl/en-us/vias/index.html",
                "tags": ["service"],
            },
        ],
        "operators": [
            {
                "integration-name": "Deepomatic",
                "python-modules": [
                    "airflow_visionbatch.operators.deepomatic",
                    "airflow_visionbatch.operators.deepomatic_export",
                    "airflow_visionbatch.operators.deepomatic_export_tables",
                ],
            },
            {
                "integration-name": "Roboflow",
                "python-modules": [
                    "airflow_visionbatch.operators.roboflow",
                    "airflow_visionbatch.operators.roboflow_results",
                    "airflow_visionbatch.operators.roboflow_stage",
                ],
            },
            {
                "integration-name": "Huawei Cloud VIAS",
                "python-modules": [
                    "airflow_visionbatch.operators.vias",
                    "airflow_visionbatch.operators.vias_actions",
                    "airflow_visionbatch.operators.vias_results",
                ],
            },
        ],
        "sensors": [
            {
                "integration-name": "Deepomatic",
                "python-modules": [
                    "airflow_visionbatch.sensors.deepomatic",
                    "airflow_visionbatch.sensors.deepomatic_batches",
                    "airflow_visionbatch.sensors.deepomatic_export",
                ],
            },
            {"integration-name": "Roboflow", "python-modules": ["airflow_visionbatch.sensors.roboflow"]},
            {"integration-name": "Huawei Cloud VIAS", "python-modules": ["airflow_visionbatch.sensors.vias"]},
        ],
        "hooks": [
            {"integration-name": "Deepomatic", "python-modules": ["airflow_visionbatch.hooks.deepomatic"]},
            {"integration-name": "Roboflow", "python-modules": ["airflow_visionbatch.hooks.roboflow"]},
            {"integration-name": "Huawei Cloud VIAS", "python-modules": ["airflow_visionbatch.hooks.vias"]},
        ],
        "triggers": [
            {
                "integration-name": "Deepomatic",
                "python-modules": [
                    "airflow_visionbatch.triggers.snapshot",
                    "airflow_visionbatch.triggers.batch_events",
                    "airflow_visionbatch.triggers.batch_list",
                    "airflow_visionbatch.triggers.export_files",
                ],
            },
            {"integration-name": "Roboflow", "python-modules": ["airflow_visionbatch.triggers.job_events"]},
        ],
        "asset-uris": [
            {
                "schemes": ["deepomatic", "roboflow", "huawei-vias"],
                "handler": "airflow_visionbatch.assets.sanitize_uri",
                "factory": "airflow_visionbatch.assets.create_asset",
                "to_openlineage_converter": "airflow_visionbatch.assets.convert_asset_to_openlineage",
            },
            {
                "schemes": ["visionbatch-hook"],
                "handler": "airflow_visionbatch.receiver.assets.sanitize_uri",
                "factory": "airflow_visionbatch.receiver.assets.create_asset",
                "to_openlineage_converter": "airflow_visionbatch.receiver.assets.convert_asset_to_openlineage",
            },
        ],
        "connection-types": [
            {
                "connection-type": "deepomatic",
                "hook-class-name": "airflow_visionbatch.hooks.deepomatic.DeepomaticHook",
                "hook-name": "Deepomatic",
                "conn-fields": DEEPOMATIC_FIELDS,
                "ui-field-behaviour": DEEPOMATIC_BEHAVIOUR,
            },
            {
                "connection-type": "roboflow",
                "hook-class-name": "airflow_visionbatch.hooks.roboflow.RoboflowHook",
                "hook-name": "Roboflow",
                "conn-fields": ROBOFLOW_FIELDS,
                "ui-field-behaviour": ROBOFLOW_BEHAVIOUR,
            },
            {
                "connection-type": "huawei_vias",
                "hook-class-name": "airflow_visionbatch.hooks.vias.ViasHook",
                "hook-name": "Huawei Cloud VIAS",
                "conn-fields": VIAS_FIELDS,
                "ui-field-behaviour": VIAS_BEHAVIOUR,
            },
        ],
        "extra-links": [
            "airflow_visionbatch.links.DeepomaticBatchLink",
            "airflow_visionbatch.links.RoboflowJobLink",
            "airflow_visionbatch.links.ViasBatchLink",
        ],
    }
