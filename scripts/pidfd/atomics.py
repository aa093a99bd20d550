#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the atomic read-modify-writes of operations by C and by Rust.

atomics.py --nm NM --vmlinux FILE --module FILE.ko DIR COMMAND...
atomics.py --self-test [--objdump OBJDUMP FILE...]

COMMAND starts a guest, with the options for QEMU that the environment variable QEMU_OPTS
holds. The guest runs "bench trace" of tools/testing/selftests/pidfd_rust, first by C, then by
Rust. A debugger, QEMU's gdbstub, stops at the marks of that program. Between two marks QEMU logs
the registers before each instruction. A lock prefix, or an xchg with memory, makes an
instruction atomic. The registers tell the address of its operand.

Two processes make each operation several times in turn, on a CPU and with objects of their
own. An operand is shared by all CPUs if it is a variable of the kernel or of the module,
or if both processes reach it. What counts is the trace with the fewest atomics: the others met an
interrupt, or an allocator that had to refill.

Writes DIR/atomics.txt and DIR/atomics.json, and prints the table that begins the former.

--self-test checks what this program makes of instructions and of a log; with --objdump, also
that it finds in each FILE the atomic instructions that OBJDUMP finds there.
"""

import argparse
import bisect
import collections
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# The first argument of a mark, as in bench.c.
MARK = 0x6d61726b
MARK_FUNCTION = "__x64_sys_ni_syscall"
# An operation lies between two calls of this. The operations do not call it.
EDGE_FUNCTION = "__x64_sys_getpgid"

USER_END = 1 << 47
IMAGE = 0xffffffff80000000
STACK = 16384

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
             "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
# The gdbstub counts registers as above, an instruction as here.
NUMBER = [REGISTERS.index(name) for name in
          ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")] + list(range(8, 16))
RSP = REGISTERS.index("rsp")
RDI = REGISTERS.index("rdi")
PC = len(REGISTERS)
# Offsets in struct pt_regs.
ARGUMENTS = {"di": 112, "si": 104, "dx": 96, "r10": 56}

# QEMU's log of one instruction: first the general registers, later these.
REGISTER = re.compile(rb"(R[0-9A-Z]{1,2}) ?=([0-9a-f]{16})")
REGISTER_NAMES = [name.upper().encode() for name in REGISTERS]
RUN = re.compile(rb"\nRIP=([0-9a-f]{16}) .*\n(?:[ECSDF]S =.*\n){5}GS =.{4} ([0-9a-f]{16}) ")

LOCK = 0xf0
PREFIXES = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3, LOCK}
ARITHMETIC = ("add", "or", "adc", "sbb", "and", "sub", "xor")
BITS = {0x0fab: "bts", 0x0fb3: "btr", 0x0fbb: "btc"}
OTHERS = {0x0fc0: "xadd", 0x0fc1: "xadd", 0x0fb0: "cmpxchg", 0x0fb1: "cmpxchg",
          0x86: "xchg", 0x87: "xchg", **BITS,
          **{op << 3 | size: name for op, name in enumerate(ARITHMETIC) for size in (0, 1)}}
# Those whose ModRM byte holds a part of the opcode.
GROUPS = {0xf6: {2: "not", 3: "neg"}, 0xf7: {2: "not", 3: "neg"},
          0xfe: {0: "inc", 1: "dec"}, 0xff: {0: "inc", 1: "dec"},
          0x0fba: {5: "bts", 6: "btr", 7: "btc"}, 0x0fc7: {1: "cmpxchg"},
          **{op: dict(enumerate(ARITHMETIC)) for op in (0x80, 0x81, 0x83)}}
IMMEDIATES = {0x80: 1, 0x81: 4, 0x83: 1, 0x0fba: 1}


class Atomic:
    """An atomic instruction. The address of its operand is the sum of the register base, the
    register index times scale, and displacement; a base of PC is the next instruction's."""

    # pylint: disable=too-many-instance-attributes

    def __init__(self, code):
        at = 0
        wide = False
        self.per_cpu = False
        while code[at] in PREFIXES:
            self.per_cpu |= code[at] == 0x65
            wide |= code[at] == 0x66
            at += 1
        rex = 0
        if code[at] & 0xf0 == 0x40:
            rex = code[at]
            at += 1
        op = code[at]
        if op == 0x0f:
            at += 1
            op = 0x0f00 | code[at]
        at += 1
        mod, reg, rm = code[at] >> 6, code[at] >> 3 & 7, code[at] & 7
        at += 1
        self.name = OTHERS.get(op) or GROUPS.get(op, {}).get(reg)
        if not self.name or mod == 3:
            raise ValueError(f"not an atomic instruction: {code.hex(' ')}")

        self.base, self.index, self.scale = NUMBER[rm | (rex & 1) << 3], None, 1
        if rm == 4:
            sib = code[at]
            at += 1
            self.base = NUMBER[sib & 7 | (rex & 1) << 3]
            index = sib >> 3 & 7 | (rex & 2) << 2
            if index != 4:
                self.index, self.scale = NUMBER[index], 1 << (sib >> 6)
            if mod == 0 and sib & 7 == 5:
                self.base = None
        elif mod == 0 and rm == 5:
            self.base = PC
        size = 1 if mod == 1 else 4 if mod == 2 or self.base in (None, PC) else 0
        self.displacement = int.from_bytes(code[at:at + size], "little", signed=True)
        at += size

        size = IMMEDIATES.get(op, 0)
        size = 2 if size == 4 and wide else size
        immediate = int.from_bytes(code[at:at + size], "little", signed=True)
        self.length = at + size
        # A bit number in a register also selects the word.
        self.bit = NUMBER[reg | (rex & 4) << 1] if op in BITS else None
        self.bit_size = 64 if rex & 8 else 16 if wide else 32
        # smp_mb() adds zero to what lies below the stack pointer.
        self.barrier = (self.name in ("add", "or") and bool(size) and immediate == 0 and
                        self.base == RSP and self.index is None)

    def address(self, registers):
        """The address of the operand, without the base of a segment."""
        address = self.displacement
        if self.base is not None:
            address += registers[self.base]
        if self.base == PC:
            address += self.length
        if self.index is not None:
            address += registers[self.index] * self.scale
        if self.bit is not None:
            bit = registers[self.bit] & ((1 << self.bit_size) - 1)
            bit -= (bit >> self.bit_size - 1) << self.bit_size
            address += bit // self.bit_size * (self.bit_size // 8)
        return address & ((1 << 64) - 1)


def decode(code):
    """The Atomic at the start of code, or None. The longest instruction has 15 bytes."""
    lock = False
    at = 0
    while code[at] in PREFIXES:
        lock |= code[at] == LOCK
        at += 1
    if not lock:
        at += code[at] & 0xf0 == 0x40
        # An xchg with memory needs no prefix.
        if code[at] & 0xfe != 0x86 or code[at + 1] >= 0xc0:
            return None
    return Atomic(code)


class Gone(Exception):
    """The guest has ended."""


class Guest:
    """A CPU that QEMU's gdbstub holds, and its memory."""

    def __init__(self, path):
        self.received = b""
        self.chunks = {}
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except ConnectionError:
            raise Gone from None

    def answer(self):
        """The next packet."""
        while True:
            start = self.received.find(b"$")
            end = self.received.find(b"#", start)
            if 0 <= start < end <= len(self.received) - 3:
                text = self.received[start + 1:end].decode()
                self.received = self.received[end + 3:]
                if text[:1] in ("W", "X"):
                    raise Gone
                return text
            more = self.socket.recv(65536)
            if not more:
                raise Gone
            self.received += more

    def ask(self, text):
        """Send a packet, and wait for its answer."""
        try:
            self.socket.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xff))
            return self.answer()
        except ConnectionError:
            raise Gone from None

    def monitor(self, command):
        """Give a command to QEMU's monitor; its output."""
        said = ""
        text = self.ask("qRcmd," + command.encode().hex())
        while text.startswith("O") and text != "OK":
            said += bytes.fromhex(text[1:]).decode()
            text = self.answer()
        return said

    def one_by_one(self, on):
        """"on": QEMU enters each instruction by itself, and so logs it."""
        # QEMU before 8.1 has another name for it.
        if self.monitor(f"one-insn-per-tb {on}"):
            self.monitor(f"singlestep {on}")

    def go(self):
        """Leave a breakpoint, and run to the next one."""
        self.ask("s")
        self.ask("c")

    def memory(self, address, size):
        """The bytes at an address; None if nothing is mapped there."""
        text = self.ask(f"m{address:x},{size:x}")
        return bytes.fromhex(text) if len(text) == 2 * size else None

    def word(self, address):
        """The number at an address."""
        return int.from_bytes(self.memory(address, 8) or b"", "little")

    def registers(self):
        """The REGISTERS and PC."""
        text = bytes.fromhex(self.ask("g")[:16 * (PC + 1)])
        return [int.from_bytes(text[at:at + 8], "little") for at in range(0, len(text), 8)]

    def code(self, pc):
        """The bytes of an instruction. The kernel may patch itself, but not while an operation
        is traced."""
        code = b""
        for chunk in (pc >> 8, (pc + 15) >> 8):
            if chunk not in self.chunks:
                self.chunks[chunk] = self.memory(chunk << 8, 256) or bytes(256)
            code += self.chunks[chunk]
        return code[pc & 0xff:][:16]


class Symbols:
    """Functions and variables of the kernel and of the module."""

    def __init__(self, nm, vmlinux, module):
        self.nm = nm
        self.module = module
        self.kernel = self.read(vmlinux)
        self.in_module = []
        self.end = self.of_kernel("_end")

    def read(self, path, sections=None):
        """Sorted (address, name) of an object file. A file that is not linked takes the
        addresses of its sections. The best of several names comes first."""
        text = subprocess.run([self.nm, "-C", "-f", "sysv", path], check=True,
                              stdout=subprocess.PIPE, encoding="utf-8").stdout
        found = []
        for line in text.splitlines():
            fields = [field.strip() for field in line.rsplit("|", 6)]
            if len(fields) != 7 or not fields[1] or fields[3] == "FILE":
                continue
            name, address, kind, section = fields[0], int(fields[1], 16), fields[3], fields[6]
            if name.startswith(("__pfx_", "__cfi_", ".L", "$")):
                continue
            if sections is not None:
                if section not in sections:
                    continue
                address += sections[section]
            # Without the hashes of crates.
            found.append((address, kind == "NOTYPE", re.sub(r"\[[0-9a-f]{1,16}\]", "", name)))
        return [(address, name) for address, _, name in sorted(found)]

    def load(self, sections):
        """Take the module's addresses: a list of a section's name, its address, and so on."""
        addresses = (int(address, 16) for address in sections[1::2])
        self.in_module = self.read(self.module, dict(zip(sections[::2], addresses)))

    def of_kernel(self, name):
        """The address of a function or variable."""
        return next(address for address, found in self.kernel if found == name)

    def has(self, address):
        """Whether an address belongs to the module."""
        return address >= self.end

    def find(self, address):
        """(address, name) of the function or variable that an address lies in."""
        found = self.in_module if self.has(address) else self.kernel
        at = bisect.bisect_right(found, (address, "\U0010ffff"))
        if not at:
            return address, "?"
        return found[bisect.bisect_left(found, (found[at - 1][0], ""))]

    def start(self, address):
        """The first address of that function or variable."""
        return self.find(address)[0]

    def name(self, address):
        """The name of that function or variable."""
        return self.find(address)[1]


class Trace:
    """The instructions of the kernel that one process took for an operation."""

    def __init__(self, run, operation, worker):
        self.run = run
        self.operation = operation
        self.worker = worker
        self.instructions = 0
        self.in_module = 0
        # (address of the instruction, address its function was called from, kind of memory,
        # address of the operand)
        self.atomics = []

    def cost(self):
        """What min() compares."""
        return len(self.atomics), self.instructions


def place(atomic, address, stack):
    """The kind of memory that the operand is."""
    if atomic.barrier:
        return "barrier"
    if atomic.per_cpu:
        return "per CPU"
    if address < USER_END:
        return "user memory"
    if address // STACK == stack // STACK:
        return "stack"
    return "variable" if address >= IMAGE else "object"


class Debugger:
    """Traces a guest from its first instruction to its end."""

    def __init__(self, symbols, log):
        self.symbols = symbols
        self.mark = symbols.of_kernel(MARK_FUNCTION)
        self.edge = symbols.of_kernel(EDGE_FUNCTION)
        self.log = log

    def marked(self, guest):
        """The text and the number of the mark that the guest stands at; None if it stands at
        another system call."""
        regs = guest.registers()[RDI]
        argument = {name: guest.word(regs + offset) for name, offset in ARGUMENTS.items()}
        if argument["di"] != MARK:
            return None
        text = guest.memory(argument["si"], argument["dx"]) if argument["dx"] else b""
        return (text or b"").decode(), argument["r10"]

    def trace(self, guest, trace):
        """Run to the next mark. Whether the trace is of use."""
        # Each time QEMU opens a new file.
        guest.monitor(f"logfile {self.log}")
        guest.monitor("log cpu,nochain")
        guest.one_by_one("on")
        guest.go()
        while not self.marked(guest):
            guest.go()
        guest.one_by_one("off")
        guest.monitor("log none")
        with open(self.log, "rb") as log, \
             mmap.mmap(log.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return self.read(guest, trace, data)

    def read(self, guest, trace, data):
        """Fill a trace from QEMU's log. Whether the log holds the edges of the operation."""
        found = [(int(run[1], 16), run[2], run.start()) for run in RUN.finditer(data)]
        edges = [i for i, (pc, _, _) in enumerate(found) if pc == self.edge]
        if len(edges) != 2:
            return False
        # In the kernel, the base of gs tells the CPUs apart.
        cpu = found[edges[0]][1]
        found = [(pc, at) for pc, gs, at in found[edges[0]:edges[1]]
                 if pc >= USER_END and gs == cpu]
        trace.instructions = len(found)
        trace.in_module = sum(self.symbols.has(pc) for pc, _ in found)

        guest.chunks.clear()
        pcs = {pc for pc, _ in found}
        atomics = {pc: decode(guest.code(pc)) for pc in pcs}
        functions = {pc: self.symbols.start(pc) for pc, atomic in atomics.items() if atomic}
        # By function, the address of the last call.
        callers = dict.fromkeys(functions.values(), 0)
        before = 0
        for pc, at in found:
            if pc in callers:
                callers[pc] = before
            before = pc
            atomic = atomics[pc]
            if atomic:
                named = dict(REGISTER.findall(data, data.rfind(b"RAX=", 0, at), at))
                registers = [int(named[name], 16) for name in REGISTER_NAMES] + [pc]
                address = atomic.address(registers)
                trace.atomics.append((pc, callers[functions[pc]],
                                      place(atomic, address, registers[RSP]), address))
        return True

    def session(self, path):
        """All Traces of the guest whose gdbstub is at path."""
        traces, run = [], ""
        try:
            guest = Guest(path)
            guest.ask(f"Z0,{self.mark:x},1")
            guest.ask("c")
            while True:
                text, number = self.marked(guest) or ("", 0)
                if text.startswith("run "):
                    run, *sections = text.split()[1:]
                    self.symbols.load(sections)
                elif text:
                    trace = Trace(run, text, number)
                    if self.trace(guest, trace):
                        traces.append(trace)
                guest.go()
        except Gone:
            return traces


def trace_guest(symbols, command, folder):
    """Run a guest and trace it. Its Traces, and the exit status of the command."""
    # The name of a socket has to be short, and the build folder's may be long.
    short = tempfile.mkdtemp(prefix="pidfd-atomics.")
    path = os.path.join(short, "gdb")
    debugger = Debugger(symbols, folder / "atomics.log")
    options = os.environ.get("QEMU_OPTS", "") + f" -S -gdb unix:{path},server=on,wait=off"
    traces = []
    try:
        with open(folder / "atomics.raw", "wb") as raw, \
             subprocess.Popen(command, stdout=raw,
                              env={**os.environ, "QEMU_OPTS": options}) as guest:
            try:
                # The command boots the guest once more if the first boot fails.
                while guest.poll() is None:
                    time.sleep(0.1)
                    if os.path.exists(path):
                        traces = debugger.session(path) or traces
            finally:
                guest.terminate()
        return traces, guest.returncode
    finally:
        shutil.rmtree(short)
        debugger.log.unlink(missing_ok=True)


def summary(traces, symbols):
    """The least of an operation's Traces, as a dictionary."""
    least = min(traces, key=Trace.cost)
    others = {address for trace in traces if trace.worker != least.worker
              for _, _, _, address in trace.atomics}
    by = collections.Counter()
    for pc, caller, where, address in least.atomics:
        shared = where == "variable" or where == "object" and address in others
        if where == "variable":
            where = symbols.name(address)
        by[symbols.name(pc), symbols.name(caller), where, shared] += 1
    return {
        "instructions": least.instructions,
        "atomics": len(least.atomics),
        "shared": sum(count for key, count in by.items() if key[-1]),
        "by": [{"symbol": symbol, "caller": caller, "operand": where, "shared": shared,
                "atomics": count}
               for (symbol, caller, where, shared), count in sorted(by.items())],
    }


def table(rows):
    """The table for a terminal."""
    lines = [f"{'operation, in atomic instructions':44} {'C':>6} {'shared':>7}"
             f" {'Rust':>6} {'shared':>7}"]
    for row in rows:
        c, rust = row["c"], row["rust"]
        lines.append(f"{row['operation']:44} {c['atomics']:6} {c['shared']:7}"
                     f" {rust['atomics']:6} {rust['shared']:7}")
    return "\n".join(lines) + "\n"


def details(rows):
    """The atomics of each operation by symbol, caller and operand."""
    lines = []
    for row in rows:
        both = collections.defaultdict(lambda: [0, 0])
        for i, run in enumerate(("c", "rust")):
            for by in row[run]["by"]:
                key = not by["shared"], by["symbol"], by["caller"], by["operand"]
                both[key][i] += by["atomics"]
        lines += ["", row["operation"],
                  f"  {'C':>4} {'Rust':>4}        function < caller: operand"]
        for (own, symbol, caller, operand), (c, rust) in sorted(both.items()):
            lines.append(f"  {c:4} {rust:4} {'      ' if own else 'shared'}"
                         f" {symbol} < {caller}: {operand}")
    return "\n".join(lines) + "\n"


def measure(args):
    """Trace a guest, print the table, and write the files."""
    # Like an interrupt, so that the guest ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(args.folder)
    symbols = Symbols(args.nm, args.vmlinux, args.module)
    traces, status = trace_guest(symbols, args.command, folder)
    if status:
        print("\n".join((folder / "atomics.raw").read_text(encoding="utf-8").splitlines()[-3:]),
              file=sys.stderr)
        raise SystemExit(f"atomics: the guest failed with status {status}")

    found = collections.defaultdict(lambda: {"c": [], "rust": []})
    in_module = collections.Counter()
    for trace in traces:
        found[trace.operation][trace.run].append(trace)
        in_module[trace.run] += trace.in_module
    if in_module["c"] or not in_module["rust"]:
        raise SystemExit("atomics: the traces are not of C, and then of Rust")
    for operation, runs in found.items():
        if any({trace.worker for trace in of} != {0, 1} for of in runs.values()):
            raise SystemExit(f"atomics: a trace of {operation} is missing")
    rows = [{"operation": operation, **{run: summary(of, symbols) for run, of in runs.items()}}
            for operation, runs in found.items()]
    if not any(row["c"]["atomics"] for row in rows):
        raise SystemExit("atomics: this kernel has no lock prefixes")

    text = table(rows)
    print(text, end="")
    (folder / "atomics.txt").write_text(text + details(rows), encoding="utf-8")
    (folder / "atomics.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


# Registers, each with a value of its own, for tests.
VALUES = [0x1000 * (i + 1) for i in range(len(REGISTERS))] + [0x400000]

# Instructions, and for an atomic one the name and the address that it has with VALUES.
EXAMPLES = (
    ("90", None),                               # nop
    ("f3 90", None),                            # pause
    ("48 87 c3", None),                         # xchg %rax,%rbx
    ("0f b1 0b", None),                         # cmpxchg %ecx,(%rbx)
    ("65 48 0f b1 15 00 01 00 00", None),       # cmpxchg %rdx,%gs:0x100(%rip)
    ("48 89 87 86 00 00 00", None),             # mov %rax,0x86(%rdi)
    ("87 03", ("xchg", 0x2000)),                # xchg %eax,(%rbx)
    ("86 1e", ("xchg", 0x5000)),                # xchg %bl,(%rsi)
    ("87 88 00 01 00 00", ("xchg", 0x1100)),    # xchg %ecx,0x100(%rax)
    ("49 87 44 24 08", ("xchg", 0xd008)),       # xchg %rax,0x8(%r12)
    ("f0 ff 07", ("inc", 0x6000)),              # lock incl (%rdi)
    ("f0 41 ff 4d 00", ("dec", 0xe000)),        # lock decl 0x0(%r13)
    ("f0 48 ff 05 10 00 00 00", ("inc", 0x400018)),     # lock incq 0x10(%rip)
    ("f0 48 83 05 10 00 00 00 01", ("add", 0x400019)),  # lock addq $1,0x10(%rip)
    ("66 f0 81 0d 10 00 00 00 34 12", ("or", 0x40001a)),    # lock orw $0x1234,0x10(%rip)
    ("f0 81 80 00 ff ff ff 00 01 00 00", ("add", 0xf00)),   # lock addl $0x100,-0x100(%rax)
    ("f0 0f c1 8c 91 00 01 00 00", ("xadd", 0x13100)),  # lock xadd %ecx,0x100(%rcx,%rdx,4)
    ("f0 4e 0f b1 04 fd 20 00 00 00", ("cmpxchg", 0x80020)),    # lock cmpxchg %r8,0x20(,%r15,8)
    ("f0 48 0f c7 0e", ("cmpxchg", 0x5000)),    # lock cmpxchg16b (%rsi)
    ("f0 48 0f ab 06", ("bts", 0x5200)),        # lock bts %rax,(%rsi)
    ("f0 48 0f ba 2e 03", ("bts", 0x5000)),     # lock bts $3,(%rsi)
    ("f0 83 44 24 fc 00", ("add", 0x7ffc)),     # lock addl $0,-0x4(%rsp)
    ("f0 30 03", ("xor", 0x2000)),              # lock xor %al,(%rbx)
    ("65 f0 ff 05 00 00 00 00", ("inc", 0x400008)),     # lock incl %gs:0x0(%rip)
)


def check_examples():
    """Messages about EXAMPLES that decode() takes for something else."""
    for code, expected in EXAMPLES:
        atomic = decode(bytes.fromhex(code).ljust(16, b"\xcc"))
        got = atomic and (atomic.name, atomic.address(VALUES))
        if got != expected:
            yield f"{code}: {got} instead of {expected}"


class FakeGuest:
    """A guest with instructions at a few addresses."""

    def __init__(self, codes):
        self.codes = codes
        self.chunks = {}

    def code(self, pc):
        """As Guest has it."""
        return self.codes.get(pc, b"\x90").ljust(16, b"\x90")


def check_log():
    """Messages about a log that Debugger.read() misreads."""
    edge, function, user = 0xffffffff81000000, 0xffffffff81000100, 0x401000
    variable, thing, stack = 0xffffffff82000000, 0xffff888000001000, 0xffffc90000010000
    # The address, the base of gs, and rdi.
    entries = [(function, "1", thing), (edge, "1", 0), (user, "1", thing), (edge + 4, "1", 0),
               (function, "1", thing), (function, "2", thing), (function + 3, "1", variable),
               (function + 6, "1", stack + 16), (function + 9, "1", 0), (edge, "1", 0),
               (function, "1", thing)]
    names = [name.upper().ljust(3) for name in REGISTERS]
    data = "".join(
        " ".join(f"{name}={rdi if name == 'RDI' else stack:016x}" for name in names) +
        f"\nRIP={pc:016x} RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\n" +
        "".join(f"{name} =0000 {gs if name == 'GS' else '':0>16} 00000000 00000000\n"
                for name in ("ES", "CS", "SS", "DS", "FS", "GS", "LDT")) + "\n"
        for pc, gs, rdi in entries)
    lock = bytes.fromhex("f0 ff 07")
    guest = FakeGuest({function: lock, function + 3: lock, function + 6: lock, user: lock,
                       function + 9: bytes.fromhex("f0 83 44 24 fc 00")})

    debugger = Debugger.__new__(Debugger)
    debugger.symbols = Symbols.__new__(Symbols)
    debugger.symbols.kernel = [(edge, "edge"), (function, "function")]
    debugger.symbols.end = 0xffffffffa0000000
    debugger.edge = edge
    trace = Trace("c", "operation", 0)
    if not debugger.read(guest, trace, data.encode()):
        yield "the log's edges are not found"
    expected = [(function, edge + 4, "object", thing),
                (function + 3, edge + 4, "variable", variable),
                (function + 6, edge + 4, "stack", stack + 16),
                (function + 9, edge + 4, "barrier", stack - 4)]
    if trace.atomics != expected or trace.instructions != 6:
        yield f"the log has {trace.instructions} instructions, and {trace.atomics}"
    if debugger.read(guest, trace, data.encode()[:len(data) // 2]):
        yield "a log without an end is taken for a whole one"


INSTRUCTION = re.compile(r"\s*([0-9a-f]+): ((?:[0-9a-f]{2}\s)+)\s*(.*)")
OPERAND = re.compile(r"(-?0x[0-9a-f]+)?\((%\w+)?(?:,(%\w+)(?:,(\d))?)?\)"
                     r"|(?<![-$\w])(-?0x[0-9a-f]+)")


def operand_address(text, following):
    """The address of an operand as objdump writes it, with VALUES in all registers."""
    match = OPERAND.search(text)
    value = dict(zip(REGISTERS, VALUES), rip=following)
    offset, base, index, scale, absolute = match.groups()
    address = int(offset or absolute or "0", 16)
    address += value[base[1:]] if base else 0
    address += value[index[1:]] * int(scale or 1) if index else 0
    return address & ((1 << 64) - 1)


def check_file(objdump, path):
    """Messages about instructions of a file that decode() takes for other than objdump."""
    text = subprocess.run([objdump, "-d", path], check=True, stdout=subprocess.PIPE,
                          encoding="utf-8").stdout
    prefix, found = None, 0
    for match in INSTRUCTION.finditer(text):
        pc, code, words = int(match[1], 16), bytes.fromhex(match[2]), match[3]
        # objdump gives a prefix a line of its own.
        if words in ("lock", "rep", "repne", "data16", "cs", "ds", "es", "fs", "gs", "ss"):
            prefix = (pc, b"", "") if prefix is None else prefix
            prefix = prefix[0], prefix[1] + code, prefix[2] + words + " "
            continue
        if prefix:
            pc, code, words = prefix[0], prefix[1] + code, prefix[2] + words
            prefix = None
        words = words.split("#")[0]
        expected = "lock" in words.split() or (words.startswith("xchg") and
                                               OPERAND.search(words) is not None)
        atomic = decode(code.ljust(16, b"\xcc"))
        if bool(atomic) != expected:
            yield f"{path}: {pc:x}: {code.hex(' ')}: objdump has {words}"
        elif atomic:
            found += 1
            registers = VALUES[:PC] + [pc]
            # objdump does not add a bit number.
            atomic.bit = None
            if (f" {atomic.name}" not in f" {words.replace('lock ', '')}" or
                    atomic.length != len(code) or
                    atomic.address(registers) != operand_address(words, pc + len(code))):
                yield f"{path}: {pc:x}: {code.hex(' ')}: {atomic.name} is {words} to objdump"
    if not found:
        yield f"{path}: objdump finds no atomic instruction"


def self_test(args):
    """Print what is wrong with this program. The exit status."""
    wrong = [*check_examples(), *check_log()]
    for path in args.files:
        wrong += check_file(args.objdump, path)
    for message in wrong[:20]:
        print(f"atomics: {message}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser()
    if "--self-test" in sys.argv:
        parser.add_argument("--self-test", action="store_true")
        parser.add_argument("--objdump")
        parser.add_argument("files", nargs="*")
        return self_test(parser.parse_args())
    for name in ("--nm", "--vmlinux", "--module"):
        parser.add_argument(name, required=True)
    parser.add_argument("folder")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return measure(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
