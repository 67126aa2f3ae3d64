"""uvicorn's HTTP protocol with limits and deadlines for every path; knows no route and no token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from service import tls
from service.limits import Limits, plain
from service.sweeper import Sweeper, Swept

WIRE_FACTOR = 8
"""A chunked body may take this many times its size on the wire before its framing is a flood."""

# Where the reading side of a connection stands; plain numbers, as each request compares them often.
SILENT = 0  # connected, not one byte of a request yet
BETWEEN = 1  # the last request has been read to its end
HEAD = 2
BODY = 3
REFUSED = 4  # reads no more; earlier requests are still being answered
LINGER = 5  # all is said; wait for the client to read it and hang up


class Refused(Exception):
    """Raised with a status in a parser callback: the parser stops, the request gets no further."""


class PastUpgrade:
    """Parser callbacks that hide a made-up request head and pass on all that follows it."""

    def __init__(self, protocol: Limited) -> None:
        self._live = False
        self._headers_complete = protocol.on_headers_complete
        self.on_message_begin = self._behind_head(protocol.on_message_begin)
        self.on_url = self._behind_head(protocol.on_url)
        self.on_header = self._behind_head(protocol.on_header)
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def _behind_head(self, callback: Callable[..., None]) -> Callable[..., None]:
        return lambda *args: callback(*args) if self._live else None

    def on_headers_complete(self) -> None:
        if self._live:
            self._headers_complete()
        self._live = True


class Limited(HttpToolsProtocol):
    """For uvicorn's ``http=`` option; a faster lane for some requests overrides ``take``."""

    # Beside the parent's dict, which holds no more than Python keeps in its fast form.
    __slots__ = (
        "_body_bytes", "_chunk_bytes", "_chunk_fresh", "_draining", "_framing", "_head_bytes",
        "_head_slack", "_now", "_phase", "_running", "_since", "_stuck_since", "_sweeper",
        "_tls", "_wire_bytes", "_wire_most", "_words", "fields", "limits",
    )  # fmt: skip

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits: Limits = app_state.get("limits") or Limits()
        self.timeout_keep_alive = self.limits.idle_timeout_s  # type: ignore[assignment]
        # What uvicorn shares among the connections of a process.
        self._sweeper: Sweeper = vars(server_state).setdefault(
            "sweeper", Sweeper(cast(set[Swept], server_state.connections), self.limits)
        )
        self._wire_most = WIRE_FACTOR * self.limits.max_body + self.limits.header_bytes
        self.url = b""
        self.fields: dict[bytes, bytes] = {}  # the head being read; of equal names, the last
        self._phase = SILENT
        self._since = 0.0  # when the phase began
        self._now = 0.0  # when the bytes in hand arrived
        self._stuck_since: float | None = None  # the client does not read what we write
        self._running: RequestResponseCycle | None = None
        self._draining = False
        self._words: bytes | None = None  # a refusal that waits for earlier answers
        self._framing: bytes | None = None  # the body of an upgrade request is still to come
        self._chunk_bytes = 0
        self._chunk_fresh = False  # the piece being parsed began between two requests
        self._head_bytes = 0  # at most this many belong to the head being read ...
        self._head_slack = 0  # ... and at least this many fewer
        self._body_bytes = 0
        self._wire_bytes = 0

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._tls = tls.extension(transport)
        self._since = self.loop.time()
        self._sweeper.wake(self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        # With requests queued, uvicorn tells the newest only; the running one would wait for ever.
        if self._running is not None:
            self._cut_short(self._running)
        self.pipeline.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Drain: what has begun to arrive is still served, everything else is closed."""
        self._draining = True
        idle = self.cycle is None or self.cycle.response_complete
        if self._phase == LINGER or (self._phase <= BETWEEN and idle):
            self._hang_up()
        elif self._phase not in (HEAD, REFUSED):
            super().shutdown()

    def _hang_up(self) -> None:
        """Close with nothing left to say; under TLS that waits for the client to close as well."""
        self._phase = LINGER
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._now = self.loop.time()
        step = self.limits.header_bytes
        if len(data) <= step and self._phase < REFUSED:
            data = self._feed(data)
        # A piece is never larger than a whole head may be, so a flood stops within two of them.
        for start in range(0, len(data), step):
            rest = data[start : start + step]
            while rest and self._phase < REFUSED:
                rest = self._feed(rest)

    def _feed(self, chunk: bytes) -> bytes:
        """Parse *chunk*, or its first part; gives what is left to parse."""
        self._chunk_bytes = len(chunk)
        self._chunk_fresh = self._phase <= BETWEEN
        self._head_bytes += len(chunk)
        self._wire_bytes += len(chunk)
        try:
            try:
                self.parser.feed_data(chunk)
            except httptools.HttpParserUpgrade as upgrade:
                self._read_plainly()
                return chunk[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause.args[0] if isinstance(cause, Refused) else 400)
        if HEAD <= self._phase <= BODY:
            self._check_unfinished()
        return b""

    def _check_unfinished(self) -> None:
        limits = self.limits
        if self._phase == HEAD:
            surely = self._head_bytes - self._head_slack
            if surely > limits.header_bytes or len(self.headers) > limits.header_count:
                self.refuse(431)
        elif self._phase == BODY and self._wire_bytes > self._wire_most:
            self.refuse(413)

    def _read_plainly(self) -> None:
        """Read the body of a request that wanted an upgrade: it is served as ordinary HTTP.

        The parser takes all that follows such a head for another protocol, a body included (and
        Java's client sends h2c upgrades with its POSTs), so a new parser reads it.
        """
        if self._framing is not None:
            self.parser = httptools.HttpRequestParser(PastUpgrade(self))
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            head = b"POST / HTTP/1.1\r\n%b\r\n" % self._framing
            self._framing = None
            self.parser.feed_data(head)

    # --- the parser's side ---

    def on_message_begin(self) -> None:
        # What uvicorn does here, less the scope: ``take`` makes it when an application wants one.
        self.url = b""
        self.headers = []
        if self._phase != SILENT:  # the first head has been due since the connect
            self._since = self._now
        self._phase = HEAD
        self._head_bytes = self._chunk_bytes
        self._head_slack = 0 if self._chunk_fresh else self._chunk_bytes
        self._chunk_fresh = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers, limits = self.headers, self.limits
        self.fields = fields = dict(headers)
        if (
            len(fields) != len(headers)
            or len(headers) > limits.header_count
            or self._head_bytes > limits.header_bytes
            or b"host" not in fields
            or b"content-length" in fields
            or self.parser.get_http_version() != "1.1"
            or len(self.tasks) >= limits.in_flight
            or len(self.pipeline) >= limits.pipelined
        ):
            status = self._objection(fields)
            if status:
                raise Refused(status)
        if self.parser.should_upgrade():
            self._framing = self._body_framing()
        self._body_bytes = self._wire_bytes = 0
        self.take()
        self._phase, self._since = BODY, self._now
        if self._draining:
            self.cycle.keep_alive = False
        self.headers = []  # trailers land here, and not behind the app's back in its scope

    def take(self) -> None:
        """Begin to serve the request whose head has been read and found fine."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url, self.headers = url, headers
        self.scope["headers"] = headers
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}
        self.expect_100_continue = self.fields.get(b"expect", b"").lower() == b"100-continue"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.max_body:
            raise Refused(413)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._framing is not None:
            return
        super().on_message_complete()
        self._phase, self._since = BETWEEN, self._now

    def _should_upgrade(self) -> bool:
        return False

    def _objection(self, fields: dict[bytes, bytes]) -> int:
        """The status that a head is refused with that is out of the ordinary; 0 when it is fine."""
        limits = self.limits
        if len(self.headers) > limits.header_count:
            return 431
        if self._head_bytes > limits.header_bytes and self._head_size() > limits.header_bytes:
            return 431
        version = self.parser.get_http_version()
        if version != "1.0" and (version != "1.1" or b"host" not in fields):
            return 400
        if len(fields) != len(self.headers) and [n for n, _ in self.headers].count(b"host") > 1:
            return 400
        declared = fields.get(b"content-length")
        if declared is not None and int(declared) > limits.max_body:
            return 413
        if len(self.tasks) >= limits.in_flight or len(self.pipeline) >= limits.pipelined:
            return 503
        return 0

    def _head_size(self) -> int:
        """The exact size, less optional blanks; only wanted when requests share a packet."""
        size = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n\r\n")
        return size + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _body_framing(self) -> bytes | None:
        """The header lines that say how the body ends; None without a body."""
        framing = (b"content-length", b"transfer-encoding")
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] in framing]
        return b"".join(lines) or None

    # --- answers ---

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Do what uvicorn does, without its timer per response."""
        self.server_state.total_requests += 1
        if self.pipeline or self.flow.read_paused or self._words is not None:
            self._go_on()
        elif self._phase == BETWEEN:
            self._since = self.loop.time()

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._words is not None:
            self._say(self._words)
        elif self._phase == BETWEEN:
            self._since = self.loop.time()

    def refuse(self, status: int) -> None:
        """Answer the request being read with *status*, after all earlier ones, and close."""
        begun = self.cycle if self._phase == BODY else None
        words, self._phase = self._refusal(status), REFUSED
        if begun is None and self.cycle is not None and not self.cycle.response_complete:
            self._words = words
        elif self.pipeline and self.pipeline[0][0] is begun:
            self.pipeline.popleft()
            self._words = words
        elif begun is None or self._cut_short(begun) or begun.response_complete:
            self._say(b"" if begun is not None and begun.response_complete else words)
        else:
            self.transport.close()

    def _cut_short(self, cycle: RequestResponseCycle) -> bool:
        """End a request the app works on, as if the client had gone; true when all is unsaid."""
        if not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        return not cycle.response_started

    def _say(self, words: bytes) -> None:
        """Write the last *words* and linger: a close on unread bytes would take them back."""
        if self.transport.is_closing():
            return
        self._phase, self._since, self._words = LINGER, self.loop.time(), None
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS: no half-close, but a close that reads until the client's
        self.flow.resume_reading()

    def _refusal(self, status: int) -> bytes:
        known = self._phase in (HEAD, BODY)
        path = self.url.partition(b"?")[0] if known else b""
        try:
            content_type, body = self.limits.refuse(status, path)
        except Exception:
            self.logger.exception("the renderer of refusals failed")
            content_type, body = plain(status, path)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"cache-control", b"no-store"),
            *([(b"retry-after", b"1")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        if known and self.parser.get_method() == b"HEAD":
            body = b""
        return STATUS_LINE[status] + lines + b"\r\n" + body

    # --- deadlines ---

    def sweep(self, now: float) -> None:
        """Close this connection if something is overdue; called by the sweeper alone."""
        long_s, transport = self.limits.body_timeout_s, self.transport
        if transport.is_closing() and self._stuck_since is None:
            # A close waits for the client to read the rest, and so would we; without a rest, less.
            said = self._draining and not transport.get_write_buffer_size()
            brief = said or self._phase == LINGER
            self._stuck_since = now - (long_s - self.limits.linger_s if brief else 0.0)
        if self._stuck_since is not None:
            if now - self._stuck_since > long_s:
                transport.abort()
        elif self._phase == BODY and self.flow.read_paused:
            self._since = now  # it is us who do not read
        elif now - self._since > self._allowed_s():
            self.refuse(408) if self._phase in (HEAD, BODY) else self._hang_up()

    def _allowed_s(self) -> float:
        limits = self.limits
        if self._phase in (SILENT, HEAD):
            return limits.header_timeout_s
        if self._phase == BODY:
            return limits.body_timeout_s
        if self._phase == LINGER:
            return limits.linger_s
        if self._phase == BETWEEN and self.cycle.response_complete:
            return limits.idle_timeout_s
        return float("inf")  # an answer is being made
