"""mcp 1.x: handshake revisions."""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

from session import bearer, refusal, report, settings


async def over_http(url):
    async with streamablehttp_client(url, headers=bearer()) as (read, write, _):
        async with ClientSession(read, write) as client:
            await client.initialize()
            await report(client)


async def over_stdio(command, arguments):
    server = StdioServerParameters(command=command, args=arguments, env=settings())
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as client:
            await client.initialize()
            await report(client)


mode, target, *rest = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: over_http(target)))
elif mode == "stdio":
    asyncio.run(over_stdio(target, rest))
else:
    asyncio.run(over_http(target))
