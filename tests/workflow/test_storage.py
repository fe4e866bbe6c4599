"""Results in an object store, with a real server on this machine; `make test-storage` installs what it needs."""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

boto3 = pytest.importorskip("boto3", reason="tests/requirements-storage.txt is not installed")
pytest.importorskip("moto", reason="tests/requirements-storage.txt is not installed")
pytest.importorskip("snakemake_storage_plugin_s3", reason="requirements-kubernetes.txt is not installed")

SMALL = ("--configfile", "tests/configs/small.yaml")
KEYS = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "test", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "test"}


@pytest.fixture(scope="module")
def store():
    """The address of an empty store with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", int(port))) and time.monotonic() < deadline:
                time.sleep(0.2)
            _client(address).create_bucket(Bucket="lab")
            yield address
        finally:
            server.terminate()


def _client(address: str):
    return boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def _in(address: str) -> tuple[str, ...]:
    """Arguments that put the results into the store; other jobs of this machine still find the checkout."""
    store = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://lab/run")
    usage = ("--shared-fs-usage", "persistence", "software-deployment", "sources", "source-cache")
    return (*store, "--storage-s3-endpoint-url", address, *usage)


def test_results_in_a_store_have_the_same_bytes_and_are_found_again(store, finished, checkout):
    project = checkout("stored")
    project.run("--cores", "2", "submission", *SMALL, *_in(store), variables=KEYS)
    made = finished.root / "results"
    for name in ("submission/predictions.txt", "fusion/official/model.safetensors", "features/visual/test-000.npy"):
        kept = _client(store).get_object(Bucket="lab", Key=f"run/results/{name}")["Body"].read()
        assert kept == (made / name).read_bytes(), name
    # Only what replaces given data, and the records of it, are here.
    assert {path.name for path in (project.root / "results").iterdir()} == {"demo", "records"}

    def dry(*arguments: str) -> str:
        return project.run("-n", "submission", *SMALL, *arguments, *_in(store), variables=KEYS)

    assert "Nothing to be done" in dry()
    # Sizes come from the store.
    forced = dry("--forcerun", "select_subject")
    megabytes = re.findall(r"rule select_subject:.*?mem_mb=([^,]*),", forced, re.DOTALL)
    assert megabytes and set(megabytes) == {"1001"}


def test_the_kubernetes_profile_plans_with_the_edits_that_it_asks_for(store, checkout):
    project = checkout("kubernetes")
    path = project.root / "profiles/kubernetes/config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings |= {"default-storage-prefix": "s3://lab/pods", "storage-s3-endpoint-url": store}
    path.write_text(yaml.safe_dump(settings))
    planned = project.run("-n", "submission", *SMALL, "--workflow-profile", "profiles/kubernetes", variables=KEYS)
    assert "gpu_manufacturer=nvidia" in planned and "scale=0" in planned
