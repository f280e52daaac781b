#!/usr/bin/python3
"""The layers of the source tree: who may include whom, in one place.

usage: check_layers.py SOURCE_ROOT             check every #include, as a test
       check_layers.py SOURCE_ROOT --farm DIR  make DIR/<layer>/ with links to what it may include

Each layer may include itself and the layers before it; c2s and s2s never include each other. The
build gives each layer's library only its own folder of links as include path, so that a wrong
include does not compile; the test says which line is wrong, and also keeps libraries where they
belong.
"""

import pathlib
import re
import sys

# In order: a layer sees itself and all before it.
LAYERS = [
    "gateway/base",
    "gateway/xml",
    "gateway/config",
    "gateway/xmpp",
    "gateway/sasl",
    "gateway/shard",
    "gateway/net",
    "gateway/store",
    "gateway/trace",
    "gateway/feature",
    "gateway/session",
    "gateway/stream",
    "gateway/route",
    "gateway/control",
    "c2s",
    "s2s",
    "gateway/features",
    "gateway/server",
]
NEVER = {("s2s", "c2s"), ("gateway/features", "c2s"), ("gateway/features", "s2s")}

# A library's headers stay behind the layer that wraps it.
LIBRARIES = {
    "expat.h": {"gateway/xml"},
    "sqlite3.h": {"gateway/store"},
    "ares.h": {"gateway/net"},
    "toml++/toml.h": {"gateway/config"},
    "spdlog/": {"gateway/base"},
    "unicode/": {"gateway/xmpp", "gateway/sasl"},
    "CLI/": {"gateway/server"},
    "prometheus/": {"gateway/server"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def allowed(layer):
    """The layers whose headers `layer` may include."""
    seen = LAYERS[: LAYERS.index(layer) + 1]
    return [other for other in seen if (layer, other) not in NEVER]


def layer_of(path):
    """The layer of a path such as gateway/net/socket.h, which may be in a folder of it, or None."""
    folder = path.rpartition("/")[0]
    while folder and folder not in LAYERS:
        folder = folder.rpartition("/")[0]
    return folder or None


def problems_in(root, layer, file):
    text = file.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        where = f"{file.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
        kind, name = match.groups()
        if kind == '"':
            target = layer_of(name)
            if target is None:
                yield f"{where}: \"{name}\" is in no layer"
            elif target not in allowed(layer):
                yield f"{where}: {layer} may not include {target}"
        else:
            for prefix, homes in LIBRARIES.items():
                if name.startswith(prefix) and layer not in homes:
                    yield f"{where}: <{name}> belongs behind {', '.join(sorted(homes))}"


def check(root):
    problems = []
    files = 0
    for layer in LAYERS:
        for file in sorted((root / layer).rglob("*")):
            if file.suffix in (".cc", ".h"):
                files += 1
                problems += problems_in(root, layer, file)
    for problem in problems:
        print(problem)
    print(f"{files} files in {len(LAYERS)} layers, {len(problems)} problems")
    return 1 if problems or files == 0 else 0


def make_farm(root, farm):
    for layer in LAYERS:
        top = farm / layer.replace("/", "-")
        for other in allowed(layer):
            link = top / other
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(root / other, target_is_directory=True)
        if not any(p for p in top.rglob("*")):
            return 1
    return 0


def main(arguments):
    if len(arguments) == 1:
        return check(pathlib.Path(arguments[0]).resolve())
    if len(arguments) == 3 and arguments[1] == "--farm":
        return make_farm(pathlib.Path(arguments[0]).resolve(), pathlib.Path(arguments[2]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
