"""The MCP Python SDK, 1.x or 2.x as the interpreter has it, with its own OAuth client. It takes the options of
`sdk-ts.mjs`, of which it knows url, login, decision, idp_decision, jar, browser, redirect_uri, scope, client_id,
client_secret, client_name, client_metadata_url, store, expire, expire_ms and, with 2.x, era; and `node`, the program to
run the visitor with. The result is the same.

It needs httpx for 1.x and httpx2 for 2.x, which come with the SDK.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MODERN = int(version("mcp").split(".")[0]) >= 2

from mcp.client.auth import OAuthClientProvider  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken  # noqa: E402

if MODERN:
    import httpx2 as httpx
    from mcp import Client
    from mcp.shared.auth import AuthorizationCodeResult
else:
    import httpx
    from mcp import ClientSession

HERE = Path(__file__).parent
CALLBACK = "http://127.0.0.1:8765/callback"
QUERY = "SELECT currentUser()"
LIFETIME = 90


class Refused(Exception):
    """Where the flow has ended, when somebody said no."""

    def __init__(self, stage, error):
        super().__init__(error)
        self.stage = stage


class Store:
    """What the client keeps, in a file if it is given one."""

    def __init__(self, options):
        self.file = options.get("store")
        self.kept = {}
        self.since = 0
        if self.file and os.path.exists(self.file):
            self.kept = json.loads(Path(self.file).read_text())
        if "client_id" in options:
            self.kept["client"] = {
                "client_id": options["client_id"],
                "client_secret": options.get("client_secret"),
                "redirect_uris": [options.get("redirect_uri", CALLBACK)],
                "token_endpoint_auth_method": "client_secret_post" if "client_secret" in options else "none",
            }

    def put(self, name, model):
        self.kept[name] = model.model_dump(mode="json", exclude_none=True)
        if self.file:
            Path(self.file).touch(mode=0o600)
            Path(self.file).write_text(json.dumps(self.kept))

    async def get_tokens(self):
        return OAuthToken.model_validate(self.kept["tokens"]) if "tokens" in self.kept else None

    async def set_tokens(self, tokens):
        self.since = time.time()
        self.put("tokens", tokens)

    async def get_client_info(self):
        return OAuthClientInformationFull.model_validate(self.kept["client"]) if "client" in self.kept else None

    async def set_client_info(self, client_info):
        self.put("client", client_info)


class Person:
    """Goes where the client sends them, with the visitor or the browser."""

    def __init__(self, options):
        self.options = options
        self.visits = []

    async def go(self, url):
        names = ("login", "decision", "idp_decision", "jar")
        given = {name: self.options[name] for name in names if name in self.options}
        browser = self.options.get("browser")
        program = "visitor.mjs"
        if browser:
            program = "browser.mjs"
            given.pop("jar", None)
            given.update(browser if isinstance(browser, dict) else {})
        environment = {**os.environ, "OAUTH_OPTIONS": json.dumps({**given, "url": url})}
        process = await asyncio.create_subprocess_exec(
            self.options.get("node", "node"),
            str(HERE / program),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            raise RuntimeError(f"{program}: {errors.decode().strip()}")
        self.visits.append(json.loads(output))

    async def come_back(self):
        visit = self.visits[-1]
        if not visit["reached"]:
            raise Refused("authorize", visit.get("error"))
        query = {name: values[0] for name, values in parse_qs(urlsplit(visit["final_url"]).query).items()}
        if "code" not in query:
            raise Refused("authorize", query.get("error"))
        if MODERN:
            return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))
        return query["code"], query.get("state")


class Wire:
    """What was asked for, without what is secret."""

    def __init__(self):
        self.requests = []

    async def see(self, response):
        request = response.request
        self.requests.append(
            {"method": request.method, "path": request.url.path, "status": response.status_code}
        )


def member(value, *names):
    """A field by either of its names: 1.x says structuredContent, 2.x structured_content."""
    return next(getattr(value, name) for name in names if hasattr(value, name))


async def who(client):
    result = await client.call_tool("execute_query", {"query": QUERY})
    if member(result, "is_error", "isError"):
        raise Refused("call", result.content[0].text)
    structured = member(result, "structured_content", "structuredContent")
    if structured and structured.get("rows"):
        return structured["rows"][0][0]
    return result.content[0].text


async def until_refused(url, token, seconds):
    """Asks with a token until the server will not have it any more."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    end = time.monotonic() + seconds
    async with httpx.AsyncClient(headers=headers) as http:
        while time.monotonic() < end:
            response = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            if response.status_code == 401:
                return
            await asyncio.sleep(0.1)
    raise RuntimeError("the old token was never refused")


async def session(client, options, store):
    first = dict(store.kept.get("tokens", {}))
    tools = await client.list_tools()
    result = {"tools": [tool.name for tool in tools.tools], "who": await who(client)}
    if options.get("expire"):
        seconds = options.get("expire_ms", 60_000) / 1000
        await until_refused(options["url"], store.kept["tokens"]["access_token"], seconds)
        # The client refreshes when it believes that the token has expired, and it learned of it later than the server.
        # Before that, a refusal makes it begin anew.
        while time.time() <= store.since + store.kept["tokens"].get("expires_in", 0) + 1:
            await asyncio.sleep(0.1)
        result["who_later"] = await who(client)
        later = store.kept["tokens"]
        result["refreshed"] = later["access_token"] != first.get("access_token")
        result["rotated"] = later.get("refresh_token") != first.get("refresh_token")
    token = store.kept.get("tokens", {})
    result["token"] = {name: token.get(name) for name in ("token_type", "expires_in", "scope")}
    result["token"]["refreshable"] = "refresh_token" in token
    result["client_id"] = store.kept.get("client", {}).get("client_id")
    return result


async def flow(options, store, person, wire):
    metadata = OAuthClientMetadata(
        client_name=options.get("client_name", "Housekey tests"),
        redirect_uris=[options.get("redirect_uri", CALLBACK)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        scope=options.get("scope"),
    )
    provider = OAuthClientProvider(
        server_url=options["url"],
        client_metadata=metadata,
        storage=store,
        redirect_handler=person.go,
        callback_handler=person.come_back,
        client_metadata_url=options.get("client_metadata_url"),
    )
    async with httpx.AsyncClient(auth=provider, timeout=60, event_hooks={"response": [wire.see]}) as http:
        transport = streamable_http_client(options["url"], http_client=http)
        if MODERN:
            async with Client(transport, mode=options.get("era", "auto")) as client:
                return await session(client, options, store)
        async with transport as (read, write, _):
            async with ClientSession(read, write) as client:
                await client.initialize()
                return await session(client, options, store)


def leaves(error):
    """The errors in groups of errors, and what they come from."""
    inner = getattr(error, "exceptions", None)
    if inner:
        for one in inner:
            yield from leaves(one)
        return
    yield error
    if error.__cause__ is not None:
        yield from leaves(error.__cause__)


def stage_of(error):
    if isinstance(error, Refused):
        return error.stage
    name = type(error).__name__
    if name in ("OAuthTokenError",):
        return "exchange"
    if name.startswith("OAuth"):
        return "authorize"
    return None


def options():
    text = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OAUTH_OPTIONS", "{}")
    given = json.loads(text)
    if "url" not in given:
        raise ValueError("the option url is missing")
    return given


async def main(given):
    store, person, wire = Store(given), Person(given), Wire()
    told = {"visits": person.visits, "requests": wire.requests}
    try:
        async with asyncio.timeout(given.get("timeout_ms", LIFETIME * 1000) / 1000):
            return {"outcome": "authorized", **await flow(given, store, person, wire), **told}
    except Exception as error:
        # The client wraps errors in groups; what says most is the one that somebody meant.
        errors = list(leaves(error))
        if any(isinstance(one, TimeoutError) for one in errors):
            raise RuntimeError("the program has not ended in time") from error
        if not wire.requests:
            raise RuntimeError(f"nobody answers: {errors[0]}") from error
        chosen = next((one for one in errors if stage_of(one)), errors[0])
        stage = stage_of(chosen) or ("call" if "tokens" in store.kept else "connect")
        text = str(chosen) if isinstance(chosen, Refused) else f"{type(chosen).__name__}: {chosen}"
        return {"outcome": "refused", "stage": stage, "error": " ".join(text.split()), **told}


try:
    print(json.dumps(asyncio.run(main(options()))))
except Exception as error:  # noqa: BLE001
    print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
    sys.exit(1)
