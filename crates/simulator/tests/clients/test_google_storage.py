"""Cloud Storage: buckets and objects."""

import base64
import io
import json

import pytest
from google_bed import gcp, reason
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload


@pytest.fixture(scope="module")
def storage(gcp):
    return gcp.api("storage")


def refused(status, why, call):
    with pytest.raises(HttpError) as caught:
        call.execute()
    assert (caught.value.status_code, reason(caught.value)) == (status, why), caught.value


def make(gcp, storage, **more):
    name = gcp.name("marquee-bucket")
    storage.buckets().insert(project=gcp.project, body={"name": name, "location": gcp.region, **more}).execute()
    return name


def put(storage, bucket, name, text=b"hello", **more):
    media = MediaIoBaseUpload(io.BytesIO(text), "text/plain")
    return storage.objects().insert(bucket=bucket, name=name, media_body=media, **more).execute()


def test_buckets(gcp, storage):
    name, buckets = make(gcp, storage, labels={"app": "a"}), storage.buckets()
    found = buckets.get(bucket=name).execute()
    assert (found["location"], found["locationType"], found["labels"]) == (gcp.region.upper(), "region", {"app": "a"})
    change = {"labels": {"app": None, "tier": "web"}, "storageClass": "NEARLINE", "versioning": {"enabled": True}}
    changed = buckets.patch(bucket=name, body=change, ifMetagenerationMatch="1").execute()
    assert (changed["labels"], changed["storageClass"], changed["metageneration"]) == ({"tier": "web"}, "NEARLINE", "2")
    refused(412, "conditionNotMet", buckets.patch(bucket=name, body=change, ifMetagenerationMatch="1"))
    refused(409, "conflict", buckets.insert(project=gcp.project, body={"name": name}))
    seen, token = [], None
    while True:
        page = buckets.list(project=gcp.project, maxResults=2, pageToken=token).execute()
        seen += [bucket["name"] for bucket in page["items"]]
        token = page.get("nextPageToken")
        if not token:
            break
    assert name in seen and len(seen) == len(set(seen)) >= 5
    assert [one["name"] for one in buckets.list(project=gcp.project, prefix=name).execute()["items"]] == [name]
    put(storage, name, "a")
    refused(409, "conflict", buckets.delete(bucket=name))
    storage.objects().delete(bucket=name, object="a").execute()
    buckets.delete(bucket=name).execute()
    refused(404, "notFound", buckets.get(bucket=name))


def test_buckets_that_cannot_be(gcp, storage):
    insert = lambda **body: storage.buckets().insert(project=gcp.project, body=body)
    refused(400, "required", insert(location="EU"))
    refused(400, "invalid", insert(name="Upper"))
    refused(400, "invalid", insert(name="fine-name", location="MARS"))
    refused(400, "invalid", insert(name="fine-name", storageClass="FLOPPY"))
    answer = gcp.raw("POST", f"/storage/v1/b?project={gcp.project}", json={"name": "fine-name", "colour": "red"})
    assert answer.status_code == 400 and 'Unknown name "colour"' in answer.json()["error"]["message"]
    assert gcp.raw("POST", "/storage/v1/b", json={"name": "fine-name"}).json()["error"]["errors"][0]["reason"] == "required"


def test_objects(gcp, storage):
    bucket, objects = make(gcp, storage), storage.objects()
    made = put(storage, bucket, "photos/2026/ü b.txt", b"--x\r\n\x00\xff", body={"metadata": {"venue": "barn"}})
    assert (made["contentType"], made["size"], made["metadata"]) == ("text/plain", "7", {"venue": "barn"})
    put(storage, bucket, "photos/top.txt")
    put(storage, bucket, "readme")
    assert objects.get(bucket=bucket, object="photos/2026/ü b.txt").execute()["generation"] == made["generation"]
    assert objects.get_media(bucket=bucket, object="photos/2026/ü b.txt").execute() == b"--x\r\n\x00\xff"
    top = objects.list(bucket=bucket, delimiter="/").execute()
    assert ([one["name"] for one in top["items"]], top["prefixes"]) == (["readme"], ["photos/"])
    inner = objects.list(bucket=bucket, prefix="photos/", delimiter="/").execute()
    assert ([one["name"] for one in inner["items"]], inner["prefixes"]) == (["photos/top.txt"], ["photos/2026/"])
    page = objects.list(bucket=bucket, maxResults=2).execute()
    rest = objects.list(bucket=bucket, maxResults=2, pageToken=page["nextPageToken"]).execute()
    assert len(page["items"]) + len(rest["items"]) == 3
    with pytest.raises(HttpError) as caught:
        put(storage, bucket, "readme", ifGenerationMatch="0")
    assert caught.value.status_code == 412
    again = put(storage, bucket, "readme", b"0123456789")
    assert int(again["generation"]) > int(made["generation"])
    change = lambda generation: put(storage, bucket, "readme", b"0123456789", ifGenerationMatch=generation)
    last = change(again["generation"])
    for refuse in [lambda: change(again["generation"]),
                   objects.delete(bucket=bucket, object="readme", ifGenerationMatch=again["generation"]).execute]:
        with pytest.raises(HttpError) as caught:
            refuse()
        assert (caught.value.status_code, reason(caught.value)) == (412, "conditionNotMet")
    refused(404, "notFound", objects.get(bucket=bucket, object="readme", generation=again["generation"]))
    part = objects.get_media(bucket=bucket, object="readme", generation=last["generation"])
    for given, wanted in {"bytes=2-4": b"234", "bytes=8-99": b"89", "bytes=7-": b"789"}.items():
        part.headers["range"] = given
        assert part.execute() == wanted
    part.headers["range"] = "bytes=10-12"
    refused(416, "requestedRangeNotSatisfiable", part)
    objects.insert(bucket=bucket, body={"name": "empty"}).execute()
    assert objects.get_media(bucket=bucket, object="empty").execute() == b""
    objects.delete(bucket=bucket, object="readme").execute()
    refused(404, "notFound", objects.get(bucket=bucket, object="readme"))
    with pytest.raises(HttpError) as caught:
        objects.get_media(bucket=bucket, object="readme").execute()
    assert (caught.value.status_code, caught.value.content.decode()) == (404, f"No such object: {bucket}/readme")
    answer = gcp.raw("GET", f"/storage/v1/b/{bucket}/o/readme?alt=media")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=UTF-8")
    refused(404, "notFound", objects.list(bucket="no-such-bucket-anywhere"))
    answer = gcp.raw("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name=plain", data=b"raw", headers={"content-type": "image/png"})
    assert (answer.json()["contentType"], answer.json()["size"]) == ("image/png", "3")
    assert gcp.raw("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name=x").status_code == 501


def test_bytes_do_not_outlive_their_object(gcp, storage):
    bucket = make(gcp, storage)
    for text in (b"first of its bytes", b"second of its bytes"):
        put(storage, bucket, "memory", text)
    state = json.dumps(gcp.control.call("GET", "/state"))
    first, second = (base64.b64encode(text).decode() for text in (b"first of its bytes", b"second of its bytes"))
    assert first not in state and second in state
    storage.objects().delete(bucket=bucket, object="memory").execute()
    assert second not in json.dumps(gcp.control.call("GET", "/state"))


def test_a_folder_is_on_one_page(gcp, storage):
    bucket, objects = make(gcp, storage), storage.objects()
    for name in ["a/1", "a/2", "a/3", "b", "c//1", "c//2", "d"]:
        put(storage, bucket, name)
    seen, token, pages = [], None, 0
    while True:
        page = objects.list(bucket=bucket, delimiter="/", maxResults=1, pageToken=token).execute()
        seen += [one["name"] for one in page.get("items", [])] + page.get("prefixes", [])
        token, pages = page.get("nextPageToken"), pages + 1
        if not token:
            break
    assert (seen, pages) == (["a/", "b", "c/", "d"], 4)
