"""The configuration of an export, and where its files lie."""

from __future__ import annotations

import pytest

from visionbatch.deepomatic.export_config import OWN_PERMISSIONS, VENDOR_PERMISSIONS, ExportConfig
from visionbatch.deepomatic.export_layout import ExportLayout, bucket_uri
from visionbatch.errors import ConfigError
from visionbatch.pipelines.export_doctor import export_doctor

SITE = "ed8cf35c-6325-4d38-86da-e8fb21c3d792"
GOOD = {"site_id": [SITE], "storage_uri": "gs://exports/prod/"}
MAIL = {"site_id": [SITE], "connector_type": "email", "emails": ["ops@example.com"]}


def test_the_table_holds_every_parameter_and_what_has_to_be_granted():
    text = ExportConfig.of({**GOOD, "export_images": True, "customer_name": "acme"}).table()
    for part in (SITE, "work-orders-timeline", "json", "daily", "cloud_storage", "gs://exports/prod/", "true"):
        assert part in text
    assert "customer-acme-data-export@deepomatic-160015.iam.gserviceaccount.com" in text
    for permission in (*VENDOR_PERMISSIONS, *OWN_PERMISSIONS):
        assert permission in text


def test_an_export_by_mail_needs_addresses_and_grants_nothing():
    text = ExportConfig.of(MAIL).table()
    assert "ops@example.com" in text
    assert "storage" not in text


def test_the_uri_may_have_its_other_name():
    given = {"site_id": [SITE], "external_storage_uri": "gs://exports"}
    assert ExportConfig.of(given).storage_uri == "gs://exports"
    with pytest.raises(ConfigError, match="storage-uri"):
        ExportConfig.of({**given, "storage_uri": "gs://other"})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"site_id": []}, "site-id"),
        ({"site_id": SITE}, "site-id"),
        ({"site_id": ["my-site"]}, "site-id"),
        ({"export_type": "work-order-timeline"}, "export-type"),
        ({"file_format": "jsonl"}, "file-format"),
        ({"interval": "hourly"}, "interval"),
        ({"connector_type": "sftp"}, "connector-type"),
        ({"emails": ["a@b.c"]}, "connector-type"),
        ({"storage_uri": ""}, "storage-uri"),
        ({"storage_uri": "s3://exports"}, "storage-uri"),
        ({"storage_uri": "gs://Exports"}, "storage-uri"),
        ({"storage_uri": "gs://exports//x"}, "storage-uri"),
        ({"export_images": "yes"}, "export-images"),
        ({"customer_name": "ACME Inc."}, "customer-name"),
        ({"colour": "blue"}, "unknown-parameter"),
        ({**MAIL, "emails": []}, "emails"),
        ({**MAIL, "emails": ["not an address"], "storage_uri": ""}, "emails"),
        ({**MAIL, "export_images": True}, "connector-type"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_rule(change, rule):
    with pytest.raises(ConfigError, match=f"{rule}: "):
        ExportConfig.of({**GOOD, **change})


def test_an_interval_that_is_not_on_the_page_can_be_let_through():
    assert ExportConfig.of({**GOOD, "interval": "quarterly", "other_interval": True}).interval == "quarterly"


def test_all_broken_rules_are_told_at_once():
    with pytest.raises(ConfigError, match=r"site-id: .*interval: .*storage-uri: "):
        ExportConfig.of({"site_id": ["x"], "interval": "x", "storage_uri": "x"})


@pytest.mark.parametrize(
    ("uri", "found"),
    [("gs://exports", ("exports", "")), ("gs://exports/", ("exports", "")), ("gs://a.b_c-d/x/y", ("a.b_c-d", "x/y/"))],
)
def test_a_prefix_always_ends_with_a_slash(uri, found):
    assert bucket_uri(uri) == found


def test_a_layout_knows_data_and_images_apart():
    layout = ExportLayout("prod/")
    assert layout.is_data("prod/site/work-orders-states/2025-05-12/a.jsonl")
    assert not layout.is_data("prod10/a.jsonl")
    assert not layout.is_data("prod/site/a.jsonl/")
    assert layout.input_of("prod/site/images/in-1.JPG") == ("in-1", ".jpg")
    assert layout.input_of("prod/site/images/in-1") == ("in-1", "")
    assert layout.input_of("prod/site/other/in-1.jpg") is None
    flat = ExportLayout(patterns=("data/*",), image="{work_order_id}/{input_id}{file_extension}")
    assert flat.input_of("wo-1/in-2.png") == ("in-2", ".png")
    assert flat.input_of("data/in-2.png") is None


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"prefix": "prod"}, "prefix"),
        ({"prefix": "/prod/"}, "prefix"),
        ({"patterns": "*.jsonl"}, "patterns"),
        ({"patterns": ()}, "patterns"),
        ({"image": "{site_id}/{name}"}, "image-template"),
        ({"image": "{site_id}"}, "image-template"),
        ({"image": "{input_id!r}"}, "image-template"),
        ({"image": "{input_id"}, "image-template"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(wrong, rule):
    with pytest.raises(ConfigError, match=f"{rule}: "):
        ExportLayout(**wrong)


@pytest.mark.parametrize("taken", [(), ("storage.objects.get",)])
def test_the_doctor_names_what_is_missing(bucket, owner, tenant, taken):
    tenant.configure(reader_permissions=sorted(set(OWN_PERMISSIONS) - set(taken)))
    diagnosis = export_doctor(ExportConfig.of(GOOD), bucket)
    assert diagnosis.missing == taken
    assert diagnosis.healthy == (not taken)
    assert sum(line.startswith("MISSING") for line in diagnosis.lines) == len(taken)
    with pytest.raises(ConfigError, match="gs://exports"):
        export_doctor(ExportConfig.of(MAIL), bucket)
