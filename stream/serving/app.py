"""The service's paths: questions, what is known of the model, health, metrics, and the description of all of these."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.serving.answer import answered, model_of, offer_of
from stream.serving.held import Held
from stream.serving.metrics import ServingMetrics
from stream.serving.openapi import described, page
from stream.serving.request import Refused, read_question
from stream.serving.settings import ServeSettings

__all__ = ["create_app"]

_OPEN = frozenset({"/livez", "/readyz"})


class _Json(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def create_app(directory: Path, settings: ServeSettings) -> ASGIApp:
    """Return the application that answers from the model versions in a directory."""
    metrics = ServingMetrics()
    held = Held(directory, metrics.swapped)
    paths = _Paths(held, settings, metrics)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await held.look()
        tasks = [asyncio.create_task(held.follow(settings.poll_seconds)), asyncio.create_task(paths.stand())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/recommend", paths.recommend, methods=["POST"]),
            Route("/v1/model", paths.model, methods=["GET"]),
            Route("/v1/offers/{name:path}", paths.offer, methods=["GET"]),
            Route("/livez", paths.livez, methods=["GET"]),
            Route("/readyz", paths.readyz, methods=["GET"]),
            Route("/metrics", paths.metrics, methods=["GET"]),
            Route("/openapi.json", paths.openapi, methods=["GET"]),
            Route("/", paths.page, methods=["GET"]),
        ],
        exception_handlers={Refused: paths.refused, 404: paths.lost, 405: paths.lost, 500: paths.broken},
    )
    return _Guard(app, settings, metrics)


class _Guard:
    """What comes before every path: the token, and the count of requests."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: ServingMetrics) -> None:
        self._app, self._metrics = app, metrics
        self._token = settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._token and scope["path"] not in _OPEN and not self._known(scope):
                self._metrics.refused("unauthorised")
                told = Refused(401, "unauthorised", "this service wants its token; send Authorization: Bearer TOKEN")
                await _Json(told.body(), 401, {"WWW-Authenticate": "Bearer"})(scope, receive, noted)
                return
            await self._app(scope, receive, noted)
        finally:
            self._metrics.answered(scope["path"], status, time.perf_counter() - began)

    def _known(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"


class _Paths:
    def __init__(self, held: Held, settings: ServeSettings, metrics: ServingMetrics) -> None:
        self._held, self._settings, self._metrics = held, settings, metrics
        self._description = described(settings)

    async def stand(self) -> None:
        """Keep the gauges up to date."""
        while True:
            self._metrics.standing(self._held)
            await asyncio.sleep(0.25)

    # -- answers ----------------------------------------------------------------------------------------------------

    async def recommend(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "not_json", "send the header Content-Type: application/json")
        body = await self._body(request)
        serving = self._held.serving
        now_ms = (serving.scorer.event_time_ms if serving else None) or 0
        question = read_question(body, self._settings, now_ms)
        answer = await answered(question, self._held, self._settings)
        self._metrics.scored(len(question.asked))
        return _Json(answer)

    async def _body(self, request: Request) -> bytes:
        most = self._settings.max_body_bytes
        too_large = Refused(413, "too_large", f"the body is larger than {most:,} bytes; send several requests")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise Refused(
                408,
                "too_slow",
                f"the body took longer than {self._settings.request_seconds:g} s to arrive; send it at once",
            ) from None
        except ClientDisconnect:
            raise Refused(400, "hung_up", "the client hung up amid the body") from None
        return bytes(body)

    async def model(self, request: Request) -> Response:
        return _Json(model_of(self._held))

    async def offer(self, request: Request) -> Response:
        return _Json(offer_of(self._held, request.path_params["name"]))

    # -- health -----------------------------------------------------------------------------------------------------

    async def livez(self, request: Request) -> Response:
        return _Json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        held, bound = self._held, self._settings.max_staleness_seconds
        serving = held.serving
        told: dict[str, Any] = {"status": "ok", "reason": None, "trouble": held.trouble}
        if serving is None:
            return _Json(told | {"status": "failing", "reason": "no model version is there yet"}, 503)
        now = held.unix_seconds()
        staleness = serving.staleness_seconds(now)
        told |= {
            "model_version": serving.pointer.version,
            "staleness_seconds": staleness,
            "age_seconds": serving.age_seconds(now),
        }
        if bound and (staleness is None or staleness > bound):
            how = "knows no event yet" if staleness is None else f"is {staleness:.1f} s behind the wall clock"
            told |= {"status": "failing", "reason": f"the model {how}, and serve.max_staleness_seconds is {bound:g}"}
            return _Json(told, 503)
        return _Json(told)

    async def metrics(self, request: Request) -> Response:
        self._metrics.standing(self._held)
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    # -- description ------------------------------------------------------------------------------------------------

    async def openapi(self, request: Request) -> Response:
        return _Json(self._description)

    async def page(self, request: Request) -> Response:
        return HTMLResponse(
            page(self._description),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )

    # -- refusals ---------------------------------------------------------------------------------------------------

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        self._metrics.refused(error.code)
        headers = {"Retry-After": "1"} if error.status == 503 else {}
        if error.status in (408, 413):
            headers["Connection"] = "close"  # what is left of the body is not waited for
        return _Json(error.body(), error.status, headers)

    async def lost(self, request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        self._metrics.refused("no_such_path" if status == 404 else "wrong_method")
        message = "there is nothing here; / describes what there is"
        if status == 405:
            message = "this path takes another method; / describes which"
        return _Json(Refused(status, "no_such_path", message).body(), status, getattr(error, "headers", None))

    async def broken(self, request: Request, error: Exception) -> Response:
        return _Json(Refused(500, "broken", "the service failed; its log says how").body(), 500)
