"""What every client does in a session that should go well; prints one JSON report."""

import json
import os

WHO = "SELECT currentUser() AS who, toInt64('9223372036854775807') AS big"

# The questions that the server has asked, each of which was answered with a yes.
questions = []


def member(value, *names):
    """A field by one of its names: 1.x says structuredContent, 2.x structured_content, and old ones have none."""
    return next((getattr(value, name) for name in names if hasattr(value, name)), None)


def items(listed, name):
    """What a list holds; fastmcp gives it bare."""
    return getattr(listed, name, listed)


async def report(client, revision, **options):
    tools = await client.list_tools()

    async def call(query, tool="execute_query"):
        return await client.call_tool(tool, {"query": query}, **options)

    if os.environ.get("MCP_TEST_WRITE"):
        written = await call(os.environ["MCP_TEST_WRITE"], "write_query")
        found = {"revision": revision(), "questions": questions, "failed": is_error(written), "text": text(written)}
        print(json.dumps(found))
        return
    good = await call(WHO)
    denied = await call("SELECT * FROM hr.salaries")
    structured = member(good, "structured_content", "structuredContent")
    resources = items(await client.list_resources(), "resources")
    prompts = items(await client.list_prompts(), "prompts")
    print(
        json.dumps(
            {
                "revision": revision(),
                "tools": [tool.name for tool in items(tools, "tools")],
                # Revisions before 2025-06-18 have the text alone.
                "structured": json.loads(text(good)) if structured is None else structured,
                "is_structured": structured is not None,
                "denied": text(denied) if is_error(denied) else None,
                "resources": [str(resource.uri) for resource in resources],
                "prompts": [prompt.name for prompt in prompts],
            }
        )
    )


def text(result):
    return result.content[0].text


def is_error(result):
    return bool(member(result, "is_error", "isError"))


def yes(message, schema):
    """Says yes to whatever the server asks its user."""
    questions.append(message)
    fields = schema["properties"].items()
    return {name: field["type"] == "boolean" or field.get("enum", ["yes"])[0] for name, field in fields}


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
