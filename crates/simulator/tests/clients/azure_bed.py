"""What the tests of Azure share: clients, and a transport that holds every answer against the committed schemas.

A client that waits for a long-running operation moves the simulator's clock instead of sleeping.
"""

import base64
import json
import pathlib
import re
import uuid

import jsonschema
import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.costmanagement import CostManagementClient
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.subscription import SubscriptionClient

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas/azure"
PLACE = "westeurope"
OTHER_PLACE = "northeurope"
IMAGE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}


class Schemas:
    """The committed schemas as JSON Schema, with nothing allowed that they do not name."""

    def __init__(self):
        self.operations = []
        for path in sorted(SCHEMAS.glob("*.json")):
            api = json.loads(path.read_text())
            shapes = {name: self.convert(shape) for name, shape in api["shapes"].items()}
            for name, operation in api["operations"].items():
                if operation["response"] is None:
                    continue
                variables = re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(operation["path"]))
                pattern = re.compile("^" + re.sub(r"\\\{\w+\\\}", "[^/]+", variables) + "$", re.IGNORECASE)
                schema = {"$defs": shapes, **self.convert(operation["response"])}
                validator = jsonschema.Draft202012Validator(schema)
                fixed = re.sub(r"\{[^}]*\}", "", operation["path"])
                self.operations.append((operation["method"], pattern, name, validator, len(fixed)))
        self.operations.sort(key=lambda row: -row[4])

    def convert(self, shape):
        if "$ref" in shape:
            return {"$ref": f"#/$defs/{shape['$ref']}"}
        kind = shape["type"]
        if kind == "any":
            return {}
        if kind == "array":
            return {"type": "array", "items": self.convert(shape["items"])}
        if kind == "object":
            found = {"type": "object",
                     "properties": {name: self.convert(value) for name, value in shape.get("properties", {}).items()}}
            more = shape.get("additional")
            found["additionalProperties"] = self.convert(more) if more else False
            return found
        return {"type": kind, **({"enum": shape["enum"]} if "enum" in shape else {})}

    def check(self, method, path, body):
        """The operation that was answered; complains if the answer is not what its schema says."""
        for wanted, pattern, name, validator, _ in self.operations:
            if wanted == method and pattern.match(path):
                wrong = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(body)]
                assert not wrong, f"{name}: {wrong[:5]}"
                return name
        return None


class Transport(RequestsTransport):
    """Checks answers against the schemas; waiting moves the simulator's clock."""

    schemas = Schemas()

    def __init__(self, control, certificate):
        super().__init__(connection_verify=certificate)
        self.control = control

    def send(self, request, **kwargs):
        response = super().send(request, **kwargs)
        if response.status_code not in (200, 201):
            return response
        if hasattr(response, "read"):
            response.read()
            body = response.content
        else:
            body = response.body()
        if body:
            path = re.sub(r"^https://[^/]+", "", request.url).split("?")[0]
            self.schemas.check(request.method, path, json.loads(body))
        return response

    def sleep(self, duration):
        self.control.advance(max(duration, 30))


class Azure:
    """Clients of a subscription."""

    def __init__(self, control, certificate, account, client="client"):
        self.control, self.certificate, self.account = control, certificate, account
        self.subscription = account["subscription_id"]
        self.transport = Transport(control, certificate)
        self.credential = ClientSecretCredential(
            account["tenant_id"], account[f"{client}_id"], account[f"{client}_secret"], authority=account["authority"],
            disable_instance_discovery=True, connection_verify=certificate)
        self.options = {"base_url": account["endpoint"], "transport": self.transport, "polling_interval": 1}
        make = lambda kind: kind(self.credential, self.subscription, **self.options)
        self.compute = make(ComputeManagementClient)
        self.network = make(NetworkManagementClient)
        self.dns = make(DnsManagementClient)
        self.resources = make(ResourceManagementClient)
        self.storage = make(StorageManagementClient)
        self.postgres = make(PostgreSQLManagementClient)
        self.monitor = make(MonitorManagementClient)
        self.cost = CostManagementClient(self.credential, **self.options)
        self.subscriptions = SubscriptionClient(self.credential, **self.options)
        policy = ARMChallengeAuthenticationPolicy(self.credential, f"{account['endpoint']}/.default")
        self.raw = ARMPipelineClient(account["endpoint"], policies=[policy], transport=self.transport)

    def send(self, method, path, body=None, **headers):
        """A request as it is, with a token; gives the response."""
        request = HttpRequest(method, f"{self.account['endpoint']}{path}", json=body, headers=headers or None)
        return self.raw.send_request(request)

    def path(self, group, kind, name):
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def unique(prefix):
    return f"{prefix}{uuid.uuid4().hex[:8]}"


def error(raised):
    """Status and code of a refusal."""
    body = json.loads(raised.value.response.text())
    return raised.value.status_code, body["error"]["code"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture(scope="session")
def account(control):
    return control.accounts("azure")[0]["credentials"]


@pytest.fixture(scope="session")
def azure(control, certificate, account):
    return Azure(control, certificate, account)


@pytest.fixture(scope="session")
def reader(control, certificate, account):
    return Azure(control, certificate, account, client="reader_client")


@pytest.fixture
def group(azure):
    """A resource group for one test, deleted with everything in it afterwards."""
    name = unique("Test-")
    azure.resources.resource_groups.create_or_update(name, {"location": PLACE, "tags": {"test": "yes"}})
    yield name
    azure.resources.resource_groups.begin_delete(name).result()


def make_network(azure, group, name="net", place=PLACE):
    """A network with two subnets; gives the id of the first."""
    network = azure.network.virtual_networks.begin_create_or_update(group, name, {
        "location": place,
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.20.0.0/16"]},
            "subnets": [{"name": "one", "properties": {"addressPrefix": "10.20.1.0/24"}},
                        {"name": "two", "properties": {"addressPrefix": "10.20.2.0/24"}}],
        },
    }).result()
    return network.properties.subnets[0].id


def make_interface(azure, group, name, subnet, place=PLACE, **properties):
    return azure.network.network_interfaces.begin_create_or_update(group, name, {
        "location": place,
        "properties": {"ipConfigurations": [{"name": "primary", "properties": {"subnet": {"id": subnet}}}], **properties},
    }).result()


def machine(interface, size="Standard_D2s_v5", place=PLACE, **more):
    """The body of a virtual machine."""
    return {
        "location": place,
        "tags": {"app": "test"},
        "properties": {
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {
                "imageReference": IMAGE,
                "osDisk": {"createOption": "FromImage", "diskSizeGB": 64, "deleteOption": "Delete",
                           "managedDisk": {"storageAccountType": "Premium_LRS"}},
            },
            "osProfile": {"computerName": "test", "adminUsername": "marquee", "adminPassword": "Not-4-real!",
                          "customData": "c2VjcmV0"},
            "networkProfile": {"networkInterfaces": [{"id": interface}]},
        },
        **more,
    }


def make_machine(azure, group, name, subnet, **more):
    interface = make_interface(azure, group, f"{name}-nic", subnet)
    return azure.compute.virtual_machines.begin_create_or_update(group, name, machine(interface.id, **more)).result()
