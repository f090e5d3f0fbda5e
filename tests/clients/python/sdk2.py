"""mcp 2.x, told to speak 2026-07-28 and nothing else."""

import asyncio
import sys

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from session import bearer, refusal, report, settings

REVISION = "2026-07-28"

# The client's errors do not carry the status, so it is taken from the wire.
statuses = []


async def see(response):
    statuses.append(response.status_code)


async def over_http(url):
    async with httpx2.AsyncClient(headers=bearer(), event_hooks={"response": [see]}) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=REVISION) as client:
            await report(client)


async def over_stdio(command, arguments):
    server = StdioServerParameters(command=command, args=arguments, env=settings())
    async with Client(stdio_client(server), mode=REVISION) as client:
        await report(client)


mode, target, *rest = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: over_http(target), statuses))
elif mode == "stdio":
    asyncio.run(over_stdio(target, rest))
else:
    asyncio.run(over_http(target))
