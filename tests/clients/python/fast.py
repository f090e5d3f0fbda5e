"""fastmcp, which finds out by itself what a server speaks."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

from session import bearer, refusal, report, settings, yes


async def say_yes(message, _, params, __):
    return yes(message, params.requested_schema)


def transport(mode, target, *arguments):
    if mode == "stdio":
        return StdioTransport(command=target, args=list(arguments), env=settings(), keep_alive=False)
    if mode == "sse":
        return SSETransport(target, headers=bearer())
    return StreamableHttpTransport(target, headers=bearer())


async def session(*way):
    async with Client(transport(*way), elicitation_handler=say_yes) as client:
        await report(client, lambda: client.session.protocol_version, raise_on_error=False)


mode, *target = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: session("http", *target)))
else:
    asyncio.run(session(mode, *target))
