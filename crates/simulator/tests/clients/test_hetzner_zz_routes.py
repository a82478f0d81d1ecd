"""Last of all: whether every route of the Hetzner face was called, with success, by Hetzner's client."""

from conftest import unproven
from hetzner_bed import project


def test_every_route_was_proven(project, control):
    assert unproven(control, "hetzner") == []
