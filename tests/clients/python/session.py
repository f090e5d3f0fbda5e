"""What every client does in a session that should go well; prints one JSON report."""

import json
import os

WHO = "SELECT currentUser() AS who, toInt64('9223372036854775807') AS big"


def member(value, *names):
    """A field by either of its names: 1.x says structuredContent, 2.x structured_content."""
    return next(getattr(value, name) for name in names if hasattr(value, name))


async def report(client):
    tools = await client.list_tools()
    good = await client.call_tool("execute_query", {"query": WHO})
    denied = await client.call_tool("execute_query", {"query": "SELECT * FROM hr.salaries"})
    is_error = member(denied, "is_error", "isError")
    print(
        json.dumps(
            {
                "tools": [tool.name for tool in tools.tools],
                "structured": member(good, "structured_content", "structuredContent"),
                "denied": denied.content[0].text if is_error else None,
            }
        )
    )


async def refusal(session, statuses=()):
    """A refusal must reach the caller as an error that says 401 or unauthorised, or that follows such a status."""
    try:
        await session()
    except BaseException as error:
        text = " ".join([*words(error), *map(str, statuses)])
        refused = "401" in text or "nauthorized" in text
        print(json.dumps({"refused": refused, "text": None if refused else text}))
        return
    print(json.dumps({"refused": False}))


def words(error):
    """The text of an error and of all that it carries along."""
    yield f"{type(error).__name__} {error}"
    for inner in getattr(error, "exceptions", ()):
        yield from words(inner)
    if error.__cause__ is not None:
        yield from words(error.__cause__)


def bearer():
    return {"Authorization": f"Bearer {os.environ['MCP_TEST_TOKEN']}"}


def settings():
    return {"PATH": os.environ["PATH"], **json.loads(os.environ["MCP_TEST_SETTINGS"])}
