"""The description of the service: OpenAPI 3.1, and the same as a page that needs no script and no other host."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

import stream
from stream.serving.request import DEFAULT_K
from stream.serving.settings import ServeSettings

__all__ = ["described", "page"]

Json = dict[str, Any]

_EXAMPLE = {
    "id": "q-1",
    "key": "h906",
    "features": {"store": "s319", "hour": 12},
    "shown": {"campaign": ["c26"]},
    "k": 2,
}


def described(settings: ServeSettings) -> Json:
    """Return the service as an OpenAPI document."""
    refusals = {
        "400": "the body is no JSON",
        "401": "the token is missing or wrong",
        "408": "the body took too long to arrive",
        "413": "the body, or what it asks for, is too large",
        "415": "the Content-Type is not application/json",
        "422": "a member of the body is wrong; `field` names it",
        "503": "no model version is there yet, or too many connections are open",
    }
    ask = {
        "summary": "The best offers of one event, or of a list of events; a list is answered by one model version.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            _ref("Event"),
                            {"type": "array", "items": _ref("Event"), "maxItems": settings.max_events},
                        ]
                    },
                    "example": _EXAMPLE,
                }
            },
        },
        "responses": {
            "200": _response("the offers", {"oneOf": [_ref("Answer"), _ref("Answers")]}),
            **{status: _response(why, _ref("Refusal")) for status, why in refusals.items()},
        },
    }
    unauthorised = {"401": _response(refusals["401"], _ref("Refusal"))}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    paths: Json = {
        "/v1/recommend": {"post": ask},
        "/v1/model": {
            "get": {
                "summary": "Which version answers, of what schema, and how fresh it is.",
                "responses": {"200": _response("the model", {"type": "object"}), **unauthorised},
            }
        },
        "/v1/offers/{name}": {
            "get": {
                "summary": "What is known of one live offer.",
                "parameters": [name],
                "responses": {
                    "200": _response("the offer", {"type": "object"}),
                    "404": _response("no such offer is live", _ref("Refusal")),
                    **unauthorised,
                },
            }
        },
        "/livez": {
            "get": {"summary": "Whether the process answers.", "responses": {"200": _response("it does", None)}}
        },
        "/readyz": {
            "get": {
                "summary": "Whether a version is there, and within the bound on staleness, if one is set.",
                "responses": {"200": _response("ready", None), "503": _response("not ready, and why", None)},
            }
        },
        "/metrics": {
            "get": {"summary": "Metrics in Prometheus' text format.", "responses": {"200": {"description": "metrics"}}}
        },
    }
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "stream serve",
            "version": stream.__version__,
            "summary": "Offers for events, by a model that keeps learning.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(settings)},
    }
    if settings.token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _response(description: str, schema: Json | None) -> Json:
    found: Json = {"description": description}
    if schema is not None:
        found["content"] = {"application/json": {"schema": schema}}
    return found


def _schemas(settings: ServeSettings) -> Json:
    number, text, whole = {"type": "number"}, {"type": "string"}, {"type": "integer"}
    texts = {"type": "array", "items": text}
    value = {"type": ["number", "boolean", "string", "array", "null"]}
    event = {
        "type": "object",
        "required": ["features"],
        "additionalProperties": False,
        "properties": {
            "id": {**text, "description": "comes back with the answer; empty by default"},
            "ts": {**whole, "description": "event time, Unix ms; by default the model's own event time"},
            "key": {"type": ["string", "null"], "description": "who asks; without it, nobody known"},
            "features": {"type": "object", "additionalProperties": value, "description": "value by feature name"},
            "shown": {
                "oneOf": [texts, {"type": "object", "additionalProperties": texts}],
                "description": "which offers could be taken: names, or values of attributes; by default all",
            },
            "k": {
                **whole,
                "minimum": 1,
                "maximum": settings.max_k,
                "default": DEFAULT_K,
                "description": "how many offers",
            },
            "why": {"type": "boolean", "default": False, "description": "name what makes up each score"},
            "labels": {**texts, "description": "ignored"},
            "weight": {**number, "description": "ignored"},
            "schema_version": {**whole, "description": "ignored"},
        },
    }
    parts = {
        "type": "object",
        "description": "in log-odds; the parts sum to the score",
        "properties": {
            "offer": {**number, "description": "what everybody is told of the offer"},
            "key": {**number, "description": "what the key's own past adds"},
            "inputs": {"type": "object", "additionalProperties": number, "description": "what each input adds"},
            "experts": {**number, "description": "what the mixture with simple experts makes of it"},
        },
    }
    offer = {
        "type": "object",
        "required": ["offer", "probability", "score"],
        "properties": {
            "offer": text,
            "probability": number,
            "score": {**number, "description": "its log-odds"},
            "why": parts,
        },
    }
    version = {
        "model_version": whole,
        "schema_version": whole,
        "event_time_ms": {"type": ["integer", "null"], "description": "the model's event time, Unix ms"},
    }
    one = {"id": text, "offers": {"type": "array", "items": offer, "description": "best first, ties by name"}}
    refusal = {"code": text, "field": {"type": ["string", "null"]}, "message": text}
    return {
        "Event": event,
        "Answer": {"type": "object", "properties": {**one, **version}},
        "Answers": {
            "type": "object",
            "properties": {"answers": {"type": "array", "items": {"type": "object", "properties": one}}, **version},
        },
        "Refusal": {"type": "object", "properties": {"error": {"type": "object", "properties": refusal}}},
    }


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}code{font-size:.9em}h2{margin-top:2rem}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}"
)


def page(document: Mapping[str, Any]) -> str:
    """Return the description as a page of HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>stream serve</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(_sections(document))}</body></html>"
    )


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{html.escape(info['title'])}</h1><p>{html.escape(info['summary'])} {html.escape(info['version'])}."
    yield ' The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
            yield f"<p>{html.escape(told['summary'])}</p><table>"
            for status, response in told["responses"].items():
                yield f"<tr><th>{status}</th><td>{html.escape(response['description'])}</td></tr>"
            yield "</table>"
            body = told.get("requestBody")
            if body:
                yield f"<pre>{_shown(body['content']['application/json']['example'])}</pre>"
    yield "<h2>Forms</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f"<h3>{html.escape(name)}</h3><pre>{_shown(schema)}</pre>"


def _shown(value: Any) -> str:
    return html.escape(json.dumps(value, indent=2, ensure_ascii=False))
