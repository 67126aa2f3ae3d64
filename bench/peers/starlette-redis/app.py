"""What everybody writes: a Starlette route, redis-py's asyncio client, one script a request."""

import hashlib
import os
from pathlib import Path

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LIFE_MS, NOTE_S = 1_800_000, 60

redis = Redis.from_url(os.environ["REDIS_URL"], max_connections=512, decode_responses=True)
verify = redis.register_script(Path(os.environ["VERIFY_LUA"]).read_text())


async def gate(request: Request) -> Response:
    """Whether the request may pass."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "token":
        return Response(status_code=401)
    digest = hashlib.sha256(token.encode()).hexdigest()
    agent = request.headers.get("user-agent", "")
    user = await verify([f"peer:{digest}"], [request.client.host, agent, LIFE_MS, NOTE_S])
    if user is None:
        return Response(status_code=401)
    return Response(headers={"x-auth-user": user})


app = Starlette(routes=[Route("/authz/ext/", gate)])
