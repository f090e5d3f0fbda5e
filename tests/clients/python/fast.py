"""fastmcp, which finds out by itself what a server speaks."""

import asyncio
import sys

import httpx2
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

from session import bearer, refusal, report, settings, yes


# The client's errors do not carry the status, so it is taken from the wire.
statuses = []


async def see(response):
    statuses.append(response.status_code)


def http(**options):
    return httpx2.AsyncClient(event_hooks={"response": [see]}, **options)


async def say_yes(message, _, params, __):
    return yes(message, params.requested_schema)


def transport(mode, target, *arguments):
    if mode == "stdio":
        return StdioTransport(command=target, args=list(arguments), env=settings(), keep_alive=False)
    if mode == "sse":
        return SSETransport(target, headers=bearer())
    return StreamableHttpTransport(target, headers=bearer(), httpx_client_factory=http)


async def session(*way):
    async with Client(transport(*way), elicitation_handler=say_yes) as client:
        await report(client, lambda: client.session.protocol_version, raise_on_error=False)


mode, *target = sys.argv[1:]
if mode == "refused":
    asyncio.run(refusal(lambda: session("http", *target), statuses))
else:
    asyncio.run(session(mode, *target))
