"""mcp 2.x, told to speak 2026-07-28 and nothing else; over HTTP+SSE it can only speak what has a handshake."""

import asyncio
import sys

import httpx2
from mcp import Client, StdioServerParameters, stdio_client, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from session import bearer, refusal, report, settings, yes

REVISION = "2026-07-28"

# The client's errors do not carry the status, so it is taken from the wire.
statuses = []


async def see(response):
    statuses.append(response.status_code)


async def say_yes(_, params):
    return types.ElicitResult(action="accept", content=yes(params.message, params.requested_schema))


async def session(transport, mode=REVISION):
    async with Client(transport, mode=mode, elicitation_callback=say_yes) as client:
        await report(client, lambda: client.protocol_version)


async def over_http(url):
    async with httpx2.AsyncClient(headers=bearer(), event_hooks={"response": [see]}) as http:
        await session(streamable_http_client(url, http_client=http))


async def over_sse(url):
    await session(sse_client(url, headers=bearer()), mode="legacy")


async def over_stdio(command, *arguments):
    await session(stdio_client(StdioServerParameters(command=command, args=list(arguments), env=settings())))


mode, *target = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: over_http(*target), statuses))
else:
    asyncio.run({"http": over_http, "sse": over_sse, "stdio": over_stdio}[mode](*target))
