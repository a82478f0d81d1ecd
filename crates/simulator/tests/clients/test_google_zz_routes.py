"""Last of all: whether every route of the Google Cloud face was called, with success, by a client of Google's."""

from conftest import unproven
from google_bed import gcp


def test_every_route_was_proven(gcp, control):
    assert unproven(control, "google") == []
    assert gcp.judge.judged > 500
