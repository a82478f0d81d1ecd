"""Google's own clients, pointed at the simulator, with every raw answer held against Google's discovery documents."""

import itertools
import json
import pathlib
import re
import urllib.parse

import google.auth.transport.requests
import google_auth_httplib2
import googleapiclient.discovery
import googleapiclient.discovery_cache.documents as documents
import httplib2
import jsonschema
import pytest
from google.api_core.client_options import ClientOptions
from google.cloud import compute_v1
from google.oauth2 import service_account

EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"
APIS = {
    "compute": "compute.v1",
    "sqladmin": "sqladmin.v1",
    "storage": "storage.v1",
    "monitoring": "monitoring.v3",
    "cloudbilling": "cloudbilling.v1",
    "dns": "dns.v1",
    "cloudresourcemanager": "cloudresourcemanager.v3",
}
COUNTER = itertools.count(1)
# google-auth asks Google itself, in the background, where a service account may be used from.
service_account.Credentials._is_regional_access_boundary_lookup_required = lambda self: False


def document(name):
    return json.loads((pathlib.Path(documents.__path__[0]) / f"{name}.json").read_text())


def methods(resource):
    yield from resource.get("methods", {}).values()
    for child in resource.get("resources", {}).values():
        yield from methods(child)


def strict(schema):
    """A discovery schema as JSON Schema in which no member may be added."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    out = {} if schema.get("type", "any") == "any" else {"type": schema["type"]}
    if "enum" in schema:
        out["enum"] = schema["enum"]
    if "items" in schema:
        out["items"] = strict(schema["items"])
    if schema.get("type") == "object":
        out["properties"] = {name: strict(value) for name, value in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties")
        out["additionalProperties"] = strict(more) if isinstance(more, dict) else False
    if schema.get("format") in ("int64", "uint64"):
        out["pattern"] = "^-?[0-9]+$"
    return out


class Judge:
    """Holds raw answers against the documents."""

    def __init__(self):
        self.routes, self.shapes, self.judged = [], {}, 0
        for name in APIS.values():
            content = document(name)
            defs = {shape: strict(schema) for shape, schema in content["schemas"].items()}
            for method in methods(content):
                path = "/" + content["servicePath"] + method.get("flatPath", method["path"])
                upload = method.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path")
                for pattern in filter(None, [path, upload]):
                    parts = re.split(r"(\{\w+\})", pattern)
                    last = "metricDescriptors/{" in pattern
                    one = "(.+)" if last else "([^/:]+|[^/]+)"
                    regex = "".join(one if part.startswith("{") else re.escape(part) for part in parts)
                    self.routes.append((method["httpMethod"], re.compile(regex), method, len(path)))
                    response = method.get("response")
                    if response:
                        self.shapes[method["id"]] = jsonschema.Draft202012Validator(
                            {"$ref": f"#/$defs/{response['$ref']}", "$defs": defs}
                        )

    def judge(self, verb, url, status, content_type, body):
        split = urllib.parse.urlsplit(url)
        if split.path.endswith("/token") or "application/json" not in content_type or not body:
            return
        answer = json.loads(body)
        self.judged += 1
        if status >= 400:
            error = answer["error"]
            assert error["code"] == status and error["message"] and error["status"], answer
            assert error["errors"][0]["reason"] and error["errors"][0]["domain"], answer
            return
        if "alt=media" in split.query or "fields=" in split.query or "enum-encoding" in split.query:
            return
        found = [m for v, regex, m, _ in self.routes if v == verb and regex.fullmatch(split.path)]
        assert found, f"{verb} {split.path} is no method of Google's"
        # Where several fit, as with projects/{p}:verb, one must be content.
        failures = [error for m in found for error in [self.failure(m, answer)]]
        assert None in failures, f"{verb} {split.path}: {failures}"

    def failure(self, method, answer):
        if method["id"] not in self.shapes:
            return None if answer == {} else f"{method['id']} answers nothing"
        error = next(self.shapes[method["id"]].iter_errors(answer), None)
        return error and f"{method['id']}: {error.json_path}: {error.message}"


class Http(httplib2.Http):
    """The transport of google-api-python-client, with a judge."""

    judge = None

    def request(self, uri, method="GET", *args, **kwargs):
        response, content = super().request(uri, method, *args, **kwargs)
        self.judge.judge(method, uri, response.status, response.get("content-type", ""), content)
        return response, content


class Gcp:
    """One project of the simulator."""

    def __init__(self, control, url):
        self.control, self.url, self.judge = control, url, Judge()
        self.account = control.accounts("google")[0]
        self.project = self.account["id"]
        self.regions = self.account["regions"]
        self.region = self.regions[0]
        self.info = self.account["credentials"]
        self.credentials = self.scoped([EVERYTHING])
        self.clients = {}
        self.zone = next(iter(self.compute("Zones").list(project=self.project))).name

    def scoped(self, scopes):
        return service_account.Credentials.from_service_account_info(self.info, scopes=scopes)

    def compute(self, noun, credentials=None):
        """A client of google-cloud-compute: `compute("Instances")`."""
        if credentials is None and noun in self.clients:
            return self.clients[noun]
        client = getattr(compute_v1, f"{noun}Client")(
            credentials=credentials or self.credentials, client_options=ClientOptions(api_endpoint=self.url)
        )
        client.transport._session.hooks["response"].append(
            lambda r, *_, **__: self.judge.judge(
                r.request.method, r.url, r.status_code, r.headers.get("content-type", ""), r.content
            )
        )
        if credentials is None:
            self.clients[noun] = client
        # The clients of operations, which a client makes when it waits, would not be told the endpoint.
        if hasattr(client.transport, "_extended_operations_services"):
            services = {f"{scope}_operations": self.compute(f"{scope.title()}Operations") for scope in ("zone", "region", "global")}
            client.transport._extended_operations_services.update(services)
        return client

    def api(self, name, credentials=None):
        """A client of google-api-python-client: `api("sqladmin")`."""
        content = document(APIS[name])
        content["rootUrl"] = self.url + "/"
        content["baseUrl"] = self.url + "/" + content["servicePath"]
        content.pop("mtlsRootUrl", None)
        http = Http()
        http.judge = self.judge
        authorized = google_auth_httplib2.AuthorizedHttp(credentials or self.credentials, http=http)
        return googleapiclient.discovery.build_from_document(content, http=authorized)

    def raw(self, verb, path, **kwargs):
        """A request that no client makes, with a token."""
        session = google.auth.transport.requests.AuthorizedSession(self.credentials)
        # Named as what proves no route: see `unproven` in conftest.py.
        session.headers["User-Agent"] = "Python-urllib"
        return session.request(verb, self.url + path, **kwargs)

    def done(self, operation, seconds=120):
        """Moves the clock until an operation of google-cloud-compute has ended, and gives its result."""
        self.control.advance(seconds)
        operation.result(timeout=20)
        return operation

    def finished(self, api, operation, seconds=600):
        """The same for an operation of Cloud SQL."""
        self.control.advance(seconds)
        done = api.operations().get(project=self.project, operation=operation["name"]).execute()
        assert done["status"] == "DONE", done
        return done

    def name(self, stem):
        """A name that no other test has."""
        return f"{stem}-{next(COUNTER)}"

    def network(self):
        return f"projects/{self.project}/regions/{self.region}/subnetworks/main"

    def machine(self, name, size="n2-standard-2", **more):
        """An instance to be made."""
        return compute_v1.Instance(
            name=name,
            machine_type=f"zones/{self.zone}/machineTypes/{size}",
            disks=[
                compute_v1.AttachedDisk(
                    boot=True,
                    auto_delete=True,
                    initialize_params=compute_v1.AttachedDiskInitializeParams(
                        source_image="projects/debian-cloud/global/images/family/debian-12"
                    ),
                )
            ],
            network_interfaces=[compute_v1.NetworkInterface(subnetwork=self.network())],
            **more,
        )

    def make(self, name=None, **more):
        """An instance that runs."""
        name = name or self.name("vm")
        self.done(
            self.compute("Instances").insert(
                project=self.project, zone=self.zone, instance_resource=self.machine(name, **more)
            )
        )
        return name


def reason(error):
    """The reason in an error of either client."""
    if hasattr(error, "error_details") and hasattr(error, "content"):
        return json.loads(error.content)["error"]["errors"][0]["reason"]
    return error.errors[0]["reason"] if error.errors else None


MADE = []


@pytest.fixture(scope="session")
def gcp(control, addresses):
    """One for all files: a fixture that is imported is made once for each."""
    if not MADE:
        MADE.append(Gcp(control, addresses["google"]))
    return MADE[0]
