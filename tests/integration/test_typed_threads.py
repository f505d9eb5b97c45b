"""Threads that read the same new types at once: with msgspec alone this kills the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROUNDS = 150
RACE = """
import sys, threading, types
from rearch.model.typed import decode_json, typed

SOURCE = '''
from __future__ import annotations
from msgspec import Struct
class A(Struct): x: int; y: tuple[str, ...] = ()
class B(Struct): a: A; others: tuple[A, ...] = ()
class C(Struct): b: B; others: tuple[B, ...] = ()
'''
DATA = b'{"b": {"a": {"x": 1, "y": ["q"]}, "others": [{"x": 2}]}, "others": [{"a": {"x": 3}}]}'
VALUE = {"b": {"a": {"x": 1}}}
sys.setswitchinterval(1e-6)
for number in range(int(sys.argv[1])):
    made = types.ModuleType(f"made{number}")
    sys.modules[made.__name__] = made
    exec(SOURCE, made.__dict__)
    start = threading.Barrier(4)
    def read(which):
        start.wait()
        decode_json(DATA, made.C) if which % 2 else typed(VALUE, made.C)
    threads = [threading.Thread(target=read, args=(which,)) for which in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print("read", number + 1)
"""


def test_new_types_are_read_by_several_threads_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(ROUNDS)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"read {ROUNDS}\n"), done.stderr
