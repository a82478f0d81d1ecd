"""The simulator under test: its control API, its accounts, and a clean slate between tests.

The address of the control API is in $MARQUEE_SIMULATOR; `crates/simulator/tests/it/clients.rs` sets it, and by hand
`cargo run -p marquee-simulator --example simulate` prints it.
"""

import json
import os
import urllib.request

import pytest


class Control:
    """The simulator's control API."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_control{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def advance(self, seconds):
        """Moves the clock forward."""
        return self.call("PUT", "/clock", {"advance_seconds": seconds})

    def now(self):
        return self.call("GET", "/clock")["now"]

    def fault(self, kind, **where):
        """Switches a fault on until the end of the test."""
        return self.call("POST", "/faults", {"kind": kind, **where})["id"]

    def clear_faults(self):
        return self.call("DELETE", "/faults")

    def accounts(self, face):
        return [account for account in self.call("GET", "/accounts") if account["face"] == face]

    def ledger(self, after=0):
        return self.call("GET", f"/ledger?after={after}")


@pytest.fixture(scope="session")
def control():
    url = os.environ.get("MARQUEE_SIMULATOR")
    if not url:
        pytest.exit("MARQUEE_SIMULATOR is not set: see conftest.py", returncode=2)
    return Control(url)


@pytest.fixture(autouse=True)
def no_faults_left(control):
    yield
    control.clear_faults()


@pytest.fixture(scope="session")
def addresses(control):
    return control.call("GET", "")["addresses"]


@pytest.fixture(scope="session")
def certificate(addresses, tmp_path_factory):
    """A file with the authority that clients of Azure must trust."""
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    path.write_text(addresses["certificate"])
    return str(path)


def unproven(control, face):
    """Routes of a face that no client but ours has called with success."""
    rows = control.call("GET", "/calls")
    proven = {row["operation"] for row in rows if row["succeeded"] and not row["client"].startswith("Python-urllib")}
    return sorted(set(control.call("GET", "/routes")[face]) - proven)


pytest_plugins = ["aws_fixtures"]
