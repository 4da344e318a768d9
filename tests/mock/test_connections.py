"""The connections that the plugin gives lead the product's own clients to the mock."""

from visionbatch import AccessKey, Roboflow, RoboflowSettings, Secret, Vias, ViasSettings, roboflow_key, settings_from
from visionbatch_mock.connections import airflow_connections


def test_the_connection_of_roboflow_opens_the_workspace_and_lets_files_go_to_the_mock(workspace, photos):
    told = airflow_connections(workspace.mock.url, workspace.key)["roboflow_default"]
    extra = {**told["extra"], "upload_hosts": (told["extra"]["upload_hosts"],)}
    extra["download_hosts"] = (extra["download_hosts"],)
    settings = settings_from(RoboflowSettings, {"base_url": told["host"], **extra}, where="extra")
    with Roboflow(settings, lambda: roboflow_key(Secret(told["password"]), settings.key_in)) as client:
        assert client.workspace() == "mock-workspace"
        workspace.shard("b", photos(1))
        assert [batch.batch_id for batch in client.batches()] == ["b"]


def test_the_connection_of_vias_signs_and_finds_the_project(account):
    account.inside.clock.run()
    batch_id = account.new_batch("cam-a")
    told = airflow_connections(account.mock.url, account.key)["huawei_vias_default"]
    settings = settings_from(ViasSettings, {"base_url": told["host"], **told["extra"]}, where="extra")
    with Vias(settings, lambda: AccessKey(told["login"], Secret(told["password"]))) as client:
        assert [entry.batch_id for entry in client.batches()] == [batch_id]
