"""Hetzner's own client, pointed at the simulator."""

import itertools

import hcloud
import pytest
from hcloud import APIException
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

COUNTER = itertools.count(1)
PLACE = "nbg1"


class Project:
    """One project of the simulator."""

    def __init__(self, control):
        self.control = control
        self.account = control.accounts("hetzner")[0]
        self.credentials = self.account["credentials"]
        self.client = self.opened(self.credentials["token"])

    def opened(self, token):
        """A client that asks once: what may pass is not tried again, which would take a minute."""
        client = hcloud.Client(token, api_endpoint=self.credentials["api_endpoint"], poll_interval=0.01)
        client._client._retry_max_retries = 0
        return client

    def name(self, stem):
        """A name that no other test has."""
        return f"{stem}-{next(COUNTER)}"

    def done(self, action, seconds=90):
        """Moves the clock until an action has ended."""
        assert action.status == "running" and action.progress < 100 and action.finished is None, action
        self.control.advance(seconds)
        action.wait_until_finished()
        assert (action.status, action.progress, action.error) == ("success", 100, None)
        assert action.finished is not None
        return action

    def server(self, off=False, size="cx23", **more):
        """A server that runs, or is off."""
        made = self.client.servers.create(
            name=self.name("server"),
            server_type=ServerType(name=size),
            image=Image(name="debian-12"),
            location=Location(name=PLACE),
            start_after_create=not off,
            **more,
        )
        self.done(made.action)
        for action in made.next_actions:
            action.wait_until_finished()
        made.server.reload()
        assert made.server.status == ("off" if off else "running")
        return made.server

    def gone(self, server):
        """Ends a server, and waits for it."""
        self.done(server.delete())


class Refused:
    """What a block of code was refused with."""

    def __init__(self, code):
        self.code, self.error = code, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert isinstance(error, APIException), f"{self.code} was expected, not {error!r}"
        assert error.code == self.code, (error.code, error.message, error.details)
        assert error.message
        self.error = error
        return True


MADE = []


@pytest.fixture(scope="session")
def project(control):
    """One for all files: a fixture that is imported is made once for each."""
    if not MADE:
        MADE.append(Project(control))
    return MADE[0]
