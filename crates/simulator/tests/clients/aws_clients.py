"""boto3 clients of the simulator that let no member pass that botocore's models do not know.

botocore ignores what it does not know; a simulator that invents members would go unnoticed. So every answer is walked
by the model of its operation before botocore parses it.
"""

import json
from xml.etree import ElementTree

import boto3
from botocore.config import Config


class Unknown(AssertionError):
    """An answer with a member that the model does not have."""


def plain(tag):
    return tag.rsplit("}", 1)[-1]


def walk_xml(node, shape, path):
    """Fails on an element that the shape does not have."""
    if shape.type_name == "structure":
        known = {}
        for name, member in shape.members.items():
            if member.type_name == "list" and member.serialization.get("flattened"):
                inner = member.member.serialization.get("name")
                known[inner or member.serialization.get("name", name)] = member.member
            else:
                known[member.serialization.get("name", name)] = member
        for child in node:
            tag = plain(child.tag)
            if tag not in known:
                raise Unknown(f"{path}: <{tag}>")
            walk_xml(child, known[tag], f"{path}.{tag}")
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for child in node:
            if plain(child.tag) != name:
                raise Unknown(f"{path}: <{plain(child.tag)}> in a list of <{name}>")
            walk_xml(child, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for entry in node:
            for child in entry:
                if plain(child.tag) not in ("key", "value"):
                    raise Unknown(f"{path}: <{plain(child.tag)}> in a map")
    elif len(node):
        raise Unknown(f"{path}: elements in a {shape.type_name}")


def walk_json(value, shape, path):
    """Fails on a member that the shape does not have."""
    if shape.type_name == "structure":
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, inner in value.items():
            if name not in known:
                raise Unknown(f"{path}: {name}")
            walk_json(inner, known[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            walk_json(inner, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            walk_json(inner, shape.value, f"{path}{{}}")


def check(operation_model, response_dict, **_):
    """Walks an answer of success, as botocore is about to parse it."""
    body, shape = response_dict["body"], operation_model.output_shape
    if response_dict["status_code"] >= 300 or not isinstance(body, bytes) or not body:
        return
    name = operation_model.name
    protocol = operation_model.service_model.resolved_protocol
    if protocol == "json":
        assert shape is not None or json.loads(body) == {}, name
        if shape is not None:
            walk_json(json.loads(body), shape, name)
        return
    root = ElementTree.fromstring(body)
    if protocol == "query":
        assert plain(root.tag) == f"{name}Response"
        children = {plain(child.tag): child for child in root}
        assert children["ResponseMetadata"][0].text, "every answer has the id of its request"
        wrapper = shape.serialization["resultWrapper"] if shape is not None else None
        assert set(children) == {"ResponseMetadata"} | ({wrapper} if wrapper else set()), name
        if wrapper:
            walk_xml(children[wrapper], shape, name)
    elif protocol == "ec2":
        assert plain(root.tag) == f"{name}Response"
        assert plain(root[0].tag) == "requestId" and root[0].text
        rest = ElementTree.Element("rest")
        rest.extend(root[1:])
        if shape is None:
            assert [(plain(child.tag), child.text) for child in rest] == [("return", "true")]
        else:
            walk_xml(rest, shape, name)
    elif name != "GetBucketLocation":
        payload = shape.serialization.get("payload")
        walk_xml(root, shape.members[payload] if payload else shape, name)


def client(service, account, region=None, *, key=None, secret=None, token=None, retries=False):
    """A client of a service for an account of the simulator."""
    given = account["credentials"]
    made = boto3.client(
        service,
        region_name=region or given["region"],
        endpoint_url=account["endpoint"],
        aws_access_key_id=key or given["access_key_id"],
        aws_secret_access_key=secret or given["secret_access_key"],
        aws_session_token=token,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3 if retries else 1},
            # Without it boto3 presigns by version 2, which newer regions of AWS refuse as well.
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=20,
        ),
    )
    made.meta.events.register("before-parse", check)
    return made


def code(refused):
    """The code of a refusal."""
    return refused.value.response["Error"]["Code"]


def status(refused):
    """The HTTP status of a refusal."""
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


def every(client_, operation, member, **arguments):
    """All items of all pages, and how many pages there were."""
    items, pages = [], 0
    for page in client_.get_paginator(operation).paginate(**arguments):
        items += page.get(member, [])
        pages += 1
    return items, pages
