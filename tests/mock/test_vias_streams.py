"""Streams by plain HTTP, as the pages of DIS describe them."""

import base64
import json

STREAM = {"dis": {"stream_name": "inspections"}}


def written(account, *sources):
    account.new_batch(*sources, output=STREAM)
    account.inside.clock.advance(5)
    account.inside.vias.deliver()
    return [entry["message_id"] for entry in account.effects("vias.result_streamed")]


def cursor(account, partition, kind, **more):
    query = {"stream-name": "inspections", "partition-id": partition, "cursor-type": kind, **more}
    return account.call("GET", "/cursors", params=query)


def read(account, at):
    answer = account.call("GET", "/records", params={"partition-cursor": at}).json()
    documents = [json.loads(base64.b64decode(record["data"])) for record in answer["records"]]
    return documents, answer["records"], answer["next_partition_cursor"]


def test_a_stream_gives_what_was_written_from_any_cursor_on(account):
    account.inside.configure(vias_stream_partitions=1, vias_stream_page=2)
    there = written(account, "cam-a", "cam-b", "cam-c")
    (partition,) = account.ok("GET", "/streams/inspections")["partitions"]
    assert partition == {"partition_id": "shardId-0000000000", "status": "ACTIVE", "sequence_number_range": "[0 : 3]"}
    first, records, behind = read(account, cursor(account, "0", "TRIM_HORIZON").json()["partition_cursor"])
    rest, _, end = read(account, behind)
    assert [document["message_id"] for document in (*first, *rest)] == there
    assert read(account, end)[0] == []
    asked = {"starting-sequence-number": records[0]["sequence_number"]}
    for kind, left in (("AT_SEQUENCE_NUMBER", 3), ("AFTER_SEQUENCE_NUMBER", 2)):
        at = cursor(account, "shardId-0000000000", kind, **asked).json()["partition_cursor"]
        assert len(read(account, at)[0]) == min(left, 2)
    at = cursor(account, "0", "AT_TIMESTAMP", timestamp=str(records[0]["timestamp"] + 60_000))
    assert read(account, at.json()["partition_cursor"])[0] == []
    assert read(account, cursor(account, "0", "LATEST").json()["partition_cursor"])[0] == []


def test_partitions_come_in_pages_and_events_of_a_task_share_one(account):
    account.inside.configure(vias_stream_partitions=3, vias_events=2)
    written(account, "cam-a", "cam-b")
    page = account.ok("GET", "/streams/inspections", params={"limit_partitions": "2"})
    assert (len(page["partitions"]), page["has_more_partitions"]) == (2, True)
    last = page["partitions"][-1]["partition_id"]
    rest = account.ok("GET", "/streams/inspections", params={"start_partitionId": last})
    assert ([each["partition_id"] for each in rest["partitions"]], rest["has_more_partitions"]) == (
        ["shardId-0000000002"],
        False,
    )
    places = {(entry["task_id"], entry["partition"]) for entry in account.effects("vias.result_streamed")}
    assert len(places) == 2


def test_what_is_not_there_and_cursors_that_run_out_are_refused(account):
    assert account.call("GET", "/streams/nobodys").status_code == 404
    assert cursor(account, "0", "TRIM_HORIZON").status_code == 400
    written(account, "cam-a")
    assert cursor(account, "7", "TRIM_HORIZON").status_code == 400
    assert cursor(account, "0", "SOMEWHERE").status_code == 400
    assert account.call("GET", "/records", params={"partition-cursor": "made up"}).status_code == 400
    at = cursor(account, "0", "TRIM_HORIZON").json()["partition_cursor"]
    account.inside.clock.advance(301)
    refused = account.call("GET", "/records", params={"partition-cursor": at})
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "DIS.4300")
