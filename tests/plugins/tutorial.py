#!/usr/bin/env python3
"""Walks docs/writing-a-strategy.md as a new user: its commands, in an empty folder, without the repository or a network.

A fenced block after `<!-- run NAME -->` is one script. `rust` may have six commands (`cd` is none) and five minutes; the
other languages are skipped, saying so, where their tools cannot be had. All strategies do the same, so their orders have to
be the same; so have those of a backtest and a paper session.

Usage: tutorial.py DIR_WITH_BINARY
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "writing-a-strategy.md"
README = ROOT / "README.md"
BLOCK = re.compile(r"^<!-- run (\w+) -->\n+```\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS_MAX = 6
SECONDS_MAX = 300


def environment(place: Path, binaries: Path) -> dict:
    home = Path.home()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BELLWETHER", "XDG_", "CARGO_TARGET", "RUSTFLAGS"))}
    env.setdefault("CARGO_HOME", str(home / ".cargo"))
    env.setdefault("RUSTUP_HOME", str(home / ".rustup"))
    env["HOME"] = str(place)
    env["CARGO_NET_OFFLINE"] = "true"
    env["PATH"] = f"{binaries}:{env['PATH']}"
    return env


def run(script: str, place: Path, env: dict) -> None:
    done = subprocess.run(["sh", "-ec", script], cwd=place, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{PAGE.name}: the commands end with {done.returncode}\n{done.stdout[-4000:]}")


def hashes(place: Path, env: dict) -> list:
    """The hash of the orders of every stored run."""
    runs = sorted(place.glob("**/runs/*/run.json"))
    return [json.loads(path.read_text())["run"]["order_hash"] for path in runs]


def rust(script: str, binaries: Path) -> str:
    commands = [c for line in script.splitlines() for c in line.split("&&") if c.strip()]
    commands = [c for c in commands if not c.strip().startswith("cd ")]
    assert len(commands) <= COMMANDS_MAX, commands
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        env = environment(place, binaries)
        began = time.monotonic()
        run(script, place, env)
        took = time.monotonic() - began
        print(f"rust: {len(commands)} commands in {took:.0f} s")
        assert took < SECONDS_MAX, f"{took:.0f} s; the page promises five minutes"
        told = hashes(place, env)
        assert len(told) == 2 and told[0] == told[1], f"backtest and paper: {told}"
        written = [p for p in place.glob("my-cross/**/*") if p.is_file() and "target" not in p.parts and p.suffix != ".wasm"]
        assert len(written) > 10, written
        named = [p for p in written if str(ROOT) in p.read_text(errors="replace")]
        assert not named, f"these name the repository: {named}"
        return told[0]


def foreign(language: str, script: str, binaries: Path, expected: str) -> None:
    """Another language's strategy does what the Rust one does, so it makes the same orders."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        env = environment(place, binaries)
        missing = MISSING[language](place, env)
        if missing:
            print(f"{language}: skipped, {missing}")
            return
        began = time.monotonic()
        run(script, place, env)
        told = hashes(place, env)
        assert told == [expected, expected], f"in {language} {told}, in Rust {expected}"
        print(f"{language}: the orders of the Rust strategy, in {time.monotonic() - began:.0f} s")


def without_pypi(place: Path, env: dict) -> str:
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    env["PATH"] = f"{place / 'venv' / 'bin'}:{env['PATH']}"
    probe = ["pip", "download", "-q", "--no-deps", "-d", place / "probe", "componentize-py"]
    return "" if subprocess.run(probe, env=env).returncode == 0 else "PyPI cannot be reached"


def without_npm(_place: Path, env: dict) -> str:
    if not shutil.which("npx"):
        return "there is no npm"
    probe = ["npm", "view", "@bytecodealliance/componentize-js", "version"]
    reached = subprocess.run(probe, env=env, capture_output=True).returncode == 0
    return "" if reached else "npm's registry cannot be reached"


def without_clang(_place: Path, _env: dict) -> str:
    missing = [tool for tool in ("clang", "wasm-ld", "wit-bindgen") if not shutil.which(tool)]
    missing += [] if Path("/usr/include/wasm32-wasi").exists() else ["wasi-libc"]
    return f"these are missing: {', '.join(missing)}" if missing else ""


MISSING = {"python": without_pypi, "javascript": without_npm, "c": without_clang}


def main() -> None:
    binaries = Path(sys.argv[1]).resolve()
    blocks = dict(BLOCK.findall(PAGE.read_text()))
    assert set(blocks) == {"rust", *MISSING}, f"{PAGE.name} marks {sorted(blocks)}"
    readme = [line.split("#")[0].rstrip() for line in README.read_text().splitlines()]
    missing = [line for line in blocks["rust"].splitlines() if line not in readme]
    assert not missing, f"README.md does not show these commands as {PAGE.name} does: {missing}"
    expected = rust(blocks["rust"], binaries)
    for language in MISSING:
        foreign(language, blocks[language], binaries, expected)


if __name__ == "__main__":
    main()
