"""mcp 1.x, new or old: handshake revisions."""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

from session import bearer, refusal, report, settings, yes


async def say_yes(_, params):
    return types.ElicitResult(action="accept", content=yes(params.message, params.requestedSchema))


async def session(read, write):
    handlers = {"elicitation_callback": say_yes} if hasattr(types, "ElicitResult") else {}
    async with ClientSession(read, write, **handlers) as client:
        agreed = await client.initialize()
        await report(client, lambda: agreed.protocolVersion)


async def over_http(url):
    async with streamablehttp_client(url, headers=bearer()) as (read, write, _):
        await session(read, write)


async def over_sse(url):
    async with sse_client(url, headers=bearer()) as streams:
        await session(*streams)


async def over_stdio(command, *arguments):
    server = StdioServerParameters(command=command, args=list(arguments), env=settings())
    async with stdio_client(server) as streams:
        await session(*streams)


mode, *target = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: over_http(*target)))
else:
    asyncio.run({"http": over_http, "sse": over_sse, "stdio": over_stdio}[mode](*target))
