# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/reference/json.md has a table for each object of the schema, with its fields in order, types and meanings."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs/reference/json.md").read_text()
SCHEMAS = [json.loads(files(one).joinpath("schema.json").read_text()) for one in ("bpvs.ipvsadm", "bpvs.mon.health")]
LISTINGS = [listing for schema in SCHEMAS for listing in schema["oneOf"]]
OBJECTS = {name: one for schema in SCHEMAS for name, one in schema["$defs"].items()}


def kind(schema: dict[str, Any]) -> str:
    """A field's type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {kind(schema['items'])}"
    if "additionalProperties" in schema:
        return f"{kind(schema['additionalProperties'])} by name"
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    bounds = f" {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
    return f"{types[0]}{bounds}{' or null' if types[1:] else ''}"


def table(schema: dict[str, Any]) -> str:
    bases = "".join(f"| all fields of {kind(base)} | | |\n" for base in schema.get("allOf", ()))
    rows = (f"| `{name}` | {kind(one)} | {one['description']} |\n" for name, one in schema["properties"].items())
    return f"{schema['description']}\n\n| Field | Type | Meaning |\n|---|---|---|\n{bases}{''.join(rows)}"


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda one: str(one["properties"]["listing"]["const"]))
def test_every_listing_has_its_table(listing: dict[str, Any]) -> None:
    assert table(listing) in PAGE


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_has_its_table(name: str) -> None:
    assert f"### {name}\n\n{table(OBJECTS[name])}" in PAGE


def test_every_field_is_required_and_explained() -> None:
    assert len(OBJECTS) == sum(len(schema["$defs"]) for schema in SCHEMAS)
    for one in (*LISTINGS, *OBJECTS.values()):
        assert one["required"] == list(one["properties"])
        assert all(field["description"] for field in one["properties"].values())
