// SPDX-License-Identifier: GPL-2.0

//! An input is a sequence of calls, each [`SIZE`] bytes.

/// Bytes of a call.
pub const SIZE: usize = 16;

/// The most calls of an input. The rest of a longer input is ignored.
pub const MOST: usize = 32;

/// A call. Its kind determines the meaning of the numbers.
#[derive(Clone, Copy)]
pub struct Call {
    pub op: usize,
    /// Which descriptor, process, or pointer.
    pub a: u8,
    pub b: u8,
    pub c: u8,
    pub d: u8,
    pub e: u8,
    /// A length.
    pub w: u16,
    /// Flags, masks and the like.
    pub v: u64,
}

/// The calls of an input, of which `ops` kinds exist.
pub fn calls(bytes: &[u8], ops: usize) -> impl Iterator<Item = Call> + '_ {
    bytes.chunks_exact(SIZE).take(MOST).map(move |b| Call {
        op: usize::from(b[0]) % ops,
        a: b[1],
        b: b[2],
        c: b[3],
        d: b[4],
        e: b[5],
        w: u16::from_le_bytes([b[6], b[7]]),
        v: u64::from_le_bytes(b[8..].try_into().unwrap()),
    })
}
