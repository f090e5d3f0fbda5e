"""Serves a real ClickHouse from the `chdb-core` wheel until its standard input closes.

Started by `clickhouse.rs` as `<venv>/bin/python -I clickhouse.py <folder> [allow-execute-as]`. The folder holds
`config.xml` and `users.xml`, receives the data, and is removed at the end if it carries the
marker file that `clickhouse.rs` puts there.

Nothing on disk is changed: the one switch that can be flipped (see `allow_execute_as`) is flipped
only where it is asked for, in the memory of this process, and only in the one build whose machine
code is known.
"""

import ctypes
import hashlib
import importlib.metadata
import mmap
import os
import select
import shutil
import signal
import sys
import threading

PACKAGE = "chdb-core"
PACKAGE_VERSION = "26.9.0"
MARKER = ".housekey-run"
ALLOW_EXECUTE_AS = "allow-execute-as"

# Where this build decides that EXECUTE AS is disabled: a six-byte conditional jump to the code
# that throws. The digest covers the jump and the 512 bytes on either side of it, so that a
# different build cannot match by accident.
SWITCH_ADDRESS = 0x17B3BBC3
SWITCH_BEFORE = bytes.fromhex("0f8402100000")
SWITCH_AFTER = b"\x90" * len(SWITCH_BEFORE)
NEIGHBOURHOOD = 512
NEIGHBOURHOOD_SHA256 = "de7c9210e49882ffdf6729da79c0f3744cdc405d50bbdd087aef60728c20888e"

# One row a second for a century: the listeners live as long as this statement runs. HTTP comes
# last, so that whoever gets an answer over HTTP can count on TCP.
SERVE = """
SYSTEM START LISTEN TCP;
SYSTEM START LISTEN HTTP;
SELECT sleepEachRow(1) FROM numbers(3153600000)
SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0, max_execution_time = 0
FORMAT Null
"""


class Refusal(Exception):
    """A reason not to start, in a sentence for the person at the terminal."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def announce(text):
    """`process.rs` shows lines with this prefix to the person at the terminal, the rest on failure."""
    say(f"housekey clickhouse: {text}")


def find_library():
    """The path of the extension module, after checking that the package is the known one."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise Refusal("the embedded ClickHouse exists for x86_64 Linux only")
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise Refusal(f"{PACKAGE} is not installed for {sys.executable}") from None
    if package.version != PACKAGE_VERSION:
        raise Refusal(
            f"{PACKAGE} {package.version} is installed, but only {PACKAGE_VERSION} is known to work"
        )
    library = package.locate_file("chdb/_chdb.abi3.so")
    if not os.path.isfile(library):
        raise Refusal(f"{PACKAGE} {PACKAGE_VERSION} is installed without {library}")
    return str(library)


def load(library):
    """Imports the extension module alone.

    Importing the package `chdb` would start a second engine that claims the same config.xml.
    """
    sys.path.insert(0, os.path.dirname(library))
    import _chdb

    return _chdb


def load_base(library):
    """The address at which the dynamic linker placed the library."""
    real = os.path.realpath(library)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            # The mapping with file offset zero begins at the base address.
            if len(fields) == 6 and fields[5] == real and int(fields[2], 16) == 0:
                return int(fields[0].split("-")[0], 16)
    raise Refusal(f"{real} is loaded but not listed in /proc/self/maps")


def allow_execute_as(library):
    """Turns on EXECUTE AS, which this way of running ClickHouse cannot turn on by configuration.

    A ClickHouse server allows impersonation by default and reads the setting
    `allow_impersonate_user`; the embedded one never reads that section of the configuration and
    keeps the feature off. Every other check (grants, unknown users) stays as it is.
    """
    address = load_base(library) + SWITCH_ADDRESS
    around = ctypes.string_at(address - NEIGHBOURHOOD, 2 * NEIGHBOURHOOD + len(SWITCH_BEFORE))
    digest = hashlib.sha256(around).hexdigest()
    site = around[NEIGHBOURHOOD : NEIGHBOURHOOD + len(SWITCH_BEFORE)]
    if site != SWITCH_BEFORE or digest != NEIGHBOURHOOD_SHA256:
        raise Refusal(
            f"{library} is not the build that is known: the code at {SWITCH_ADDRESS:#x} is "
            f"{site.hex()} (SHA-256 of its surroundings {digest}), expected "
            f"{SWITCH_BEFORE.hex()} ({NEIGHBOURHOOD_SHA256})"
        )

    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    first = address & -mmap.PAGESIZE
    length = address + len(SWITCH_BEFORE) - first

    def set_protection(flags):
        if protect(first, length, flags) != 0:
            raise Refusal(
                "the system does not allow the in-memory switch for EXECUTE AS: "
                + os.strerror(ctypes.get_errno())
            )

    set_protection(mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    ctypes.memmove(address, SWITCH_AFTER, len(SWITCH_AFTER))
    set_protection(mmap.PROT_READ | mmap.PROT_EXEC)
    announce(
        f"switched on EXECUTE AS in the memory of this process ({PACKAGE} {PACKAGE_VERSION} has no "
        "setting for it; a ClickHouse server allows it by default); no file is changed"
    )


def wait_for_the_parent():
    """Returns when standard input is closed or the parent is gone.

    PR_SET_PDEATHSIG would be the wrong tool: it fires when the *thread* that started this
    process ends, and in an asynchronous or test program such a thread may end at any time.
    """
    parent = os.getppid()
    while True:
        ready, _, _ = select.select([0], [], [], 1.0)
        if ready and not os.read(0, 4096):
            return
        if os.getppid() != parent:
            return


def leave(folder, status):
    """Ends the process at once; ClickHouse's own threads are not asked."""
    if os.path.exists(os.path.join(folder, MARKER)):
        # A second pass takes what a background thread wrote during the first.
        for _ in range(2):
            shutil.rmtree(folder, ignore_errors=True)
    os._exit(status)


def main():
    switches = sys.argv[2:]
    if len(sys.argv) < 2 or switches not in ([], [ALLOW_EXECUTE_AS]):
        raise Refusal(f"usage: clickhouse.py <folder with config.xml and users.xml> [{ALLOW_EXECUTE_AS}]")
    folder = os.path.abspath(sys.argv[1])
    if not os.path.isfile(os.path.join(folder, "config.xml")):
        raise Refusal(f"there is no config.xml in {folder}")

    library = find_library()
    engine = load(library)
    if switches:
        allow_execute_as(library)
    os.chdir(folder)

    def serve():
        try:
            engine.query(SERVE, "CSV", path=os.path.join(folder, "data"))
            say("ClickHouse stopped serving")
        except BaseException as error:  # The process must end, whatever the engine raises.
            say(f"ClickHouse stopped: {error}")
        os._exit(1)

    # The engine blocks, so it has a thread of its own and this one stays free for signals.
    threading.Thread(target=serve, name="clickhouse", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: leave(folder, 0))
    wait_for_the_parent()
    leave(folder, 0)


if __name__ == "__main__":
    try:
        main()
    except Refusal as refusal:
        say(str(refusal))
        sys.exit(2)
