"""Where a mutant is made and tried: a copy of the tree, built once; for each mutant one file compiled
with prepared headers, one object linked before the libraries that hold the right one, and the tests
that may notice, the quickest first."""

import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import subprocess
import time

SCENE_FOLDERS = ["tests/scenes", "tests/rfc2779"]
SCENE_MODES = [("scenes", []), ("scenes on two shards", ["--shards", "2", "--piece", "1000"])]
MEMORY = 4 << 30


class Trouble(Exception):
    """The workshop itself cannot work; the text says why."""


def run(command, where, limit, environment=None, processor_seconds=600):
    """Its exit status and output; the status is None if it did not end in time. Two limits, since a
    machine that is busy with something else makes a test slow, and a loop without end burns."""

    def bounds():
        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    process = subprocess.Popen(
        command,
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=bounds,
    )
    try:
        output, _ = process.communicate(timeout=limit)
        endless = process.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        return None if endless else process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output


class Workshop:
    def __init__(self, root, scratch, areas):
        self.root = pathlib.Path(root)
        self.scratch = pathlib.Path(scratch)
        self.tree = self.scratch / "tree"
        self.build = self.tree / "build"
        self.folders = {pathlib.PurePath(area).name for area in areas} | {"server"}
        self.headers = {}  # area: the prepared header, or None where it does not compile
        self.noticed_by = {}  # path: scene files that noticed its mutants, the latest first
        self.compiles = {}  # path: whether the file compiles unchanged with prepared headers
        self.limits = {}

    # ---- once ----

    def copy_tree(self):
        """Brings the copy in step with the tree; what did not change keeps its time."""
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root, check=True, capture_output=True, text=True,
        ).stdout.split("\0")
        wanted = {name for name in names if name and (self.root / name).is_file()}
        for folder, folders, files in os.walk(self.tree):
            if pathlib.Path(folder) == self.tree and "build" in folders:
                folders.remove("build")
            for path in (pathlib.Path(folder) / file for file in files):
                if str(path.relative_to(self.tree)) not in wanted:
                    path.unlink()
        for name in wanted:
            source, copy = self.root / name, self.tree / name
            if copy.exists() and copy.read_bytes() == source.read_bytes():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)

    def build_tests(self):
        if not (self.build / "build.ninja").exists():
            # As tools/check configures its build, so that a compiler cache knows the objects.
            options = ["-Dwerror=true"]
            self._must(["meson", "setup", *options, str(self.build), str(self.tree)], self.scratch)
        self.programs = self._unit_programs()
        # Units of the server start the server's program as it is.
        wanted = ["gateway/causeway", "tests/scenes", *[f"tests/{p}" for p in self.programs]]
        self._must(["ninja", "-C", str(self.build), *wanted], self.scratch)
        entries = json.loads((self.build / "compile_commands.json").read_text())
        self.commands = {
            os.path.relpath(os.path.join(e["directory"], e["file"]), self.tree): e["command"]
            for e in entries
        }
        self.links = {p: self._link_command(p) for p in ["scenes", *self.programs]}

    def check_tests(self):
        """The tests must pass unchanged; how long they take bounds what a mutant may."""
        for name, command in self._tests_of(None, self.build / "tests"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            status, output = self._run_test(command, 600)
            if status != 0:
                raise Trouble(f"{name} fail without any change:\n{output[-2000:]}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self.limits[name] = int(10 + 5 * used)

    # ---- for each mutant ----

    def try_mutant(self, mutant, area, place):
        """What became of it, and who noticed: ("noticed", name), ("survived", ""),
        ("not compiled", "")."""
        place.mkdir(parents=True, exist_ok=True)
        original = (self.tree / mutant.path).read_text()
        if not self._compile(mutant.path, mutant.apply(original), area, place):
            if self._compiles(mutant.path, original, area, place):
                return "not compiled", ""
            raise Trouble(f"{mutant.path} does not compile unchanged")
        linked = set()
        for name, command in self._tests_of(mutant.path, place):
            program = pathlib.Path(command[0]).name
            if program not in linked:
                linked.add(program)
                status, output = run(self._relink(program, place), self.build, 300)
                if status != 0:
                    return "not compiled", ""
            status, output = self._run_test(command, 600, self.limits[name])
            if status == 0:
                continue
            return "noticed", self._who_noticed(mutant.path, name, status, output)
        return "survived", ""

    def _tests_of(self, path, place):
        """Name and command of each test that may notice a change in that file; all for None."""
        if path is not None:
            folder = pathlib.PurePath(path).parent.name
            for program, folders in self.programs.items():
                if folder in folders:
                    yield self._units(program, folder, place)
        first = self.noticed_by.get(path, [])
        scenes = first + [file for file in self._scene_files() if file not in first]
        for name, mode in SCENE_MODES:
            yield name, [str(place / "scenes"), "--first-failure", *mode, *scenes]
        for program, folders in self.programs.items():
            for folder in sorted(folders):
                if path is None or folder != pathlib.PurePath(path).parent.name:
                    yield self._units(program, folder, place)

    def _scene_files(self):
        """Every file of scenes, those of the requirements last."""
        folders = [sorted((self.tree / folder).glob("*.scene")) for folder in SCENE_FOLDERS]
        return [str(path) for folder in folders for path in folder]

    @staticmethod
    def _units(program, folder, place):
        only = f"--source-file=*unit/{folder}/*"
        return f"units of {folder}", [str(place / program), only, "--abort-after=1"]

    def _who_noticed(self, path, name, status, output):
        if status is None:
            return f"{name}: no end"
        failed = [line for line in output.splitlines() if line.startswith("not ok")]
        if failed:
            scene = failed[0].split(" ", 3)[3]
            known = self.noticed_by.setdefault(path, [])
            name = scene.split(":")[0] + ".scene"
            for file in self._scene_files():
                if pathlib.PurePath(file).name == name:
                    known[:] = [file, *(other for other in known if other != file)]
            return scene
        # The first to fail is the last that is named: others may have a message of their own.
        cases = [line[11:].strip() for line in output.splitlines() if line.startswith("TEST CASE:")]
        if cases:
            return f"{name}: {cases[-1]}"
        return f"{name}: ended by signal {-status}" if status < 0 else f"{name}: status {status}"

    def _run_test(self, command, limit, processor_seconds=600):
        # The server's program that some units start is that of the build: without the mutant.
        environment = dict(
            os.environ,
            CAUSEWAY_SOURCE_ROOT=str(self.tree),
            CAUSEWAY=str(self.build / "gateway/causeway"),
        )
        return run(command, self.build, limit, environment, processor_seconds)

    # ---- compiling and linking ----

    def _compile(self, path, text, area, place):
        source = place / pathlib.PurePath(path).name
        source.write_text(text)
        command = self._compile_command(path)
        header = self._header_of(area, path)
        prepared = ["-include", str(header)] if header else []
        command += [*prepared, "-c", str(source), "-o", str(place / "mutant.o")]
        status, _ = run(command, self.build, 300)
        return status == 0

    def _compiles(self, path, text, area, place):
        if path not in self.compiles:
            self.compiles[path] = self._compile(path, text, area, place)
        return self.compiles[path]

    def _compile_command(self, path):
        """Without optimisation and warnings; a missing return is an error, for it means nothing."""
        given = shlex.split(self.commands[path])
        kept = []
        skip = False
        for word in given:
            if skip:
                skip = False
            elif word in ("-MQ", "-MF", "-o", "-c", "-include"):
                skip = True  # the header that the build prepares is for its own options
            elif pathlib.PurePath(word).name == "ccache" or word in ("-MD", "-Winvalid-pch"):
                pass
            elif word.startswith(("-O", "-g", "-D_FORTIFY_SOURCE", "-Werror")):
                pass
            else:
                kept.append(word)
        return [*kept, "-O0", "-g0", "-w", "-Werror=return-type"]

    def _header_of(self, area, path):
        """The area's headers and all that its files include, compiled once."""
        if area in self.headers:
            return self.headers[area]
        includes = []
        for file in sorted((self.tree / area).glob("*.[ch]*")):
            for line in file.read_text().splitlines():
                if line.startswith("#include") and line not in includes:
                    includes.append(line)
        folder = self.scratch / "headers" / area.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        header = folder / "all.h"
        header.write_text("\n".join(includes) + "\n")
        command = self._compile_command(path)
        command += ["-x", "c++-header", str(header), "-o", f"{header}.gch"]
        status, _ = run(command, self.build, 600)
        self.headers[area] = header if status == 0 else None
        return self.headers[area]

    def _unit_programs(self):
        """Of each program with units of the areas: the folders of those."""
        targets = json.loads((self.build / "meson-info/intro-targets.json").read_text())
        found = {}
        for target in targets:
            if target["type"] != "executable" or not target["name"].startswith("test-"):
                continue
            folders = set()
            for group in target["target_sources"]:
                for source in group.get("sources", []):
                    parts = pathlib.PurePath(source).parts
                    if "unit" in parts:
                        folders.add(parts[parts.index("unit") + 1])
            if folders & self.folders:
                found[target["name"]] = folders & self.folders
        return found

    def _link_command(self, program):
        output = subprocess.run(
            ["ninja", "-C", str(self.build), "-t", "commands", f"tests/{program}"],
            check=True, capture_output=True, text=True,
        ).stdout
        return shlex.split(output.strip().splitlines()[-1])

    def _relink(self, program, place):
        command = [w for w in self.links[program] if pathlib.PurePath(w).name != "ccache"]
        at = command.index("-o")
        quick = ["-fuse-ld=lld"] if shutil.which("ld.lld") else []
        # The libraries' own object of that file is not looked for where all its names are known.
        return [
            *command[:at], "-o", str(place / program), str(place / "mutant.o"), *quick,
            *command[at + 2 :],
        ]

    def _must(self, command, where):
        done = subprocess.run(command, cwd=where, capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(f"{shlex.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
