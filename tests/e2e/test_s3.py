"""A landing zone in object storage: a night from ``s3://`` leaves the rows of the same night from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from affect_pipeline.errors import LandingZoneUnavailable
from affect_pipeline.journals.landing import LandingZone
from affect_pipeline.stages.in_process import run_nights
from tests.e2e.conftest import Installation, SmallCohort, content

pytestmark = pytest.mark.slow

BUCKET = "clinic-journals"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    """A bucket on an S3 server of this machine; the environment says where it is, as in production."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": host,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    storage = s3fs.S3FileSystem()
    storage.makedirs(BUCKET, exist_ok=True)  # the server lives as long as this process
    yield storage
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def upload(storage: s3fs.S3FileSystem, landing: Path, night: str) -> None:
    for path in sorted((landing / night).rglob("*")):
        if path.is_file():
            storage.pipe_file(f"{BUCKET}/journals/{path.relative_to(landing)}", path.read_bytes())


def test_a_whole_night_from_object_storage(
    bucket: s3fs.S3FileSystem, installation: Installation, cohort: SmallCohort
) -> None:
    nights = cohort.last_nights[-1]
    upload(bucket, cohort.landing, nights.name)
    from_folder = installation("from-a-folder")
    from_s3 = installation("from-s3").model_copy(update={"landing_url": f"s3://{BUCKET}/journals"})

    there = run_nights(from_s3, nights)
    here = run_nights(from_folder, nights)

    assert there.collect["n_journals"] > 0
    assert there.collect == here.collect
    assert content(from_s3) == content(from_folder)


def test_a_night_without_journals_is_no_error_and_a_missing_bucket_is(bucket: s3fs.S3FileSystem) -> None:
    bucket.pipe_file(f"{BUCKET}/other/readme.txt", b"left by somebody")
    zone = LandingZone(f"s3://{BUCKET}/other")

    assert zone.deliveries(date(2026, 1, 5)) == []
    with pytest.raises(LandingZoneUnavailable, match="AFFECT_LANDING_URL"):
        LandingZone("s3://nobodys-bucket/journals")
