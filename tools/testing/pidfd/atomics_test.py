# SPDX-License-Identifier: GPL-2.0
"""Unit tests of atomics.py. make check compares its decoder with objdump as well."""

import unittest

import atomics

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


class FakeGuest:
    """A guest with instructions at a few addresses."""

    def __init__(self, codes):
        self.codes = codes
        self.chunks = {}

    def code(self, pc):
        """As Guest has it."""
        return self.codes.get(pc, b"\x90").ljust(16, b"\x90")


class Decoder(unittest.TestCase):
    def test_examples(self):
        for code, expected in EXAMPLES:
            with self.subTest(code):
                atomic = atomics.decode(bytes.fromhex(code).ljust(16, b"\xcc"))
                self.assertEqual(atomic and (atomic.name, atomic.address(atomics.VALUES)), expected)


class Log(unittest.TestCase):
    def test_log(self):
        edge, function, user = 0xffffffff81000000, 0xffffffff81000100, 0x401000
        variable, thing, stack = 0xffffffff82000000, 0xffff888000001000, 0xffffc90000010000
        # The address, the base of gs, and rdi.
        entries = [(function, "1", thing), (edge, "1", 0), (user, "1", thing), (edge + 4, "1", 0),
                   (function, "1", thing), (function, "2", thing), (function + 3, "1", variable),
                   (function + 6, "1", stack + 16), (function + 9, "1", 0), (edge, "1", 0),
                   (function, "1", thing)]
        names = [name.upper().ljust(3) for name in atomics.REGISTERS]
        data = "".join(
            " ".join(f"{name}={rdi if name == 'RDI' else stack:016x}" for name in names) +
            f"\nRIP={pc:016x} RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\n" +
            "".join(f"{name} =0000 {gs if name == 'GS' else '':0>16} 00000000 00000000\n"
                    for name in ("ES", "CS", "SS", "DS", "FS", "GS", "LDT")) + "\n"
            for pc, gs, rdi in entries)
        lock = bytes.fromhex("f0 ff 07")
        guest = FakeGuest({function: lock, function + 3: lock, function + 6: lock, user: lock,
                           function + 9: bytes.fromhex("f0 83 44 24 fc 00")})

        debugger = atomics.Debugger.__new__(atomics.Debugger)
        debugger.symbols = atomics.Symbols.__new__(atomics.Symbols)
        debugger.symbols.kernel = [(edge, "edge"), (function, "function")]
        debugger.symbols.end = 0xffffffffa0000000
        debugger.edge = edge
        trace = atomics.Trace("c", "operation", 0)
        self.assertTrue(debugger.read(guest, trace, data.encode()))
        expected = [(function, edge + 4, "object", thing),
                    (function + 3, edge + 4, "variable", variable),
                    (function + 6, edge + 4, "stack", stack + 16),
                    (function + 9, edge + 4, "barrier", stack - 4)]
        self.assertEqual((trace.atomics, trace.instructions), (expected, 6))
        # A log without an end.
        self.assertFalse(debugger.read(guest, trace, data.encode()[:len(data) // 2]))


if __name__ == "__main__":
    unittest.main()
