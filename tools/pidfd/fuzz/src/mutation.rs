// SPDX-License-Identifier: GPL-2.0

//! Mutations that know the calls.

use crate::{
    calls::OPS,
    input::{MOST, SIZE},
};
use libafl::{
    Error, HasMetadata,
    corpus::{Corpus, CorpusId},
    inputs::{BytesInput, HasMutatorBytes, ResizableMutator},
    mutators::{HavocScheduledMutator, MutationResult, Mutator, mutations::*},
    state::{HasCorpus, HasMaxSize, HasRand},
};
use libafl_bolts::{Named, rands::Rand, tuples::tuple_list};
use std::{borrow::Cow, num::NonZero};

fn below<R: Rand>(rand: &mut R, n: usize) -> usize {
    NonZero::new(n).map_or(0, |n| rand.below(n))
}

/// A value that `op` can make sense of, and some that it cannot.
fn value<R: Rand>(rand: &mut R, op: usize) -> u64 {
    let known = OPS[op].values;

    match below(rand, 8) {
        0 => 0,
        1 => rand.next(),
        2 => 1 << below(rand, 64),
        n => (0..n / 2).fold(0, |v, _| match known.len() {
            0 => v,
            len => v | known[below(rand, len)],
        }),
    }
}

/// A call of any kind. Small numbers select existing objects, large ones missing objects.
pub fn any_call<R: Rand>(rand: &mut R) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let op = below(rand, OPS.len());

    bytes[0] = op as u8;
    for byte in &mut bytes[1..6] {
        *byte = match below(rand, 8) {
            0 => rand.next() as u8,
            1..=4 => below(rand, 4) as u8,
            _ => below(rand, 16) as u8,
        };
    }
    let w = if below(rand, 2) == 0 {
        below(rand, 256)
    } else {
        below(rand, 1 << 16)
    };
    bytes[6..8].copy_from_slice(&(w as u16).to_le_bytes());
    bytes[8..].copy_from_slice(&value(rand, op).to_le_bytes());
    bytes
}

/// The mutations of whole calls.
#[derive(Clone, Copy)]
enum How {
    Insert,
    Remove,
    Repeat,
    Swap,
    Value,
    Splice,
}

/// Changes one call and leaves the others as they are.
pub struct CallMutator(How, Cow<'static, str>);

impl Named for CallMutator {
    fn name(&self) -> &Cow<'static, str> {
        &self.1
    }
}

impl<S> Mutator<BytesInput, S> for CallMutator
where
    S: HasRand + HasCorpus<BytesInput>,
{
    fn mutate(&mut self, state: &mut S, input: &mut BytesInput) -> Result<MutationResult, Error> {
        let n = input.mutator_bytes().len() / SIZE;
        let full = n >= MOST;
        let at = below(state.rand_mut(), n) * SIZE;
        let to = below(state.rand_mut(), n + 1) * SIZE;

        match self.0 {
            How::Insert if !full => {
                let call = any_call(state.rand_mut());
                input.splice(to..to, call);
            }
            How::Remove if n > 1 => {
                input.drain(at..at + SIZE);
            }
            How::Repeat if n > 0 && !full => {
                let call = input.mutator_bytes()[at..at + SIZE].to_vec();
                input.splice(to..to, call);
            }
            How::Swap if n > 1 => {
                let call: Vec<u8> = input.drain(at..at + SIZE).collect();
                let to = to.min((n - 1) * SIZE);
                input.splice(to..to, call);
            }
            How::Value if n > 0 => {
                let op = usize::from(input.mutator_bytes()[at]) % OPS.len();
                let value = value(state.rand_mut(), op).to_le_bytes();
                input.mutator_bytes_mut()[at + 8..at + SIZE].copy_from_slice(&value);
            }
            How::Splice if !full && state.corpus().count() > 0 => {
                let count = state.corpus().count();
                let nth = below(state.rand_mut(), count);
                let id: CorpusId = state.corpus().nth(nth);
                let other = state.corpus().cloned_input_for_id(id)?;
                let other = other.mutator_bytes();
                let m = other.len() / SIZE;
                let from = below(state.rand_mut(), m);
                let len = 1 + below(state.rand_mut(), (m - from).min(MOST - n).max(1));
                let end = (from + len).min(m);
                input.splice(to..to, other[from * SIZE..end * SIZE].iter().copied());
            }
            _ => return Ok(MutationResult::Skipped),
        }
        Ok(MutationResult::Mutated)
    }

    fn post_exec(&mut self, _state: &mut S, _id: Option<CorpusId>) -> Result<(), Error> {
        Ok(())
    }
}

/// LibAFL's mutations of bytes in place, and those of calls.
pub fn mutator<S>() -> impl Mutator<BytesInput, S>
where
    S: HasRand + HasCorpus<BytesInput> + HasMaxSize + HasMetadata,
{
    let calls = |how, name| CallMutator(how, Cow::Borrowed(name));

    HavocScheduledMutator::with_max_stack_pow(
        tuple_list!(
            BitFlipMutator::new(),
            ByteIncMutator::new(),
            ByteDecMutator::new(),
            ByteRandMutator::new(),
            ByteInterestingMutator::new(),
            WordInterestingMutator::new(),
            DwordInterestingMutator::new(),
            calls(How::Insert, "insert"),
            calls(How::Insert, "insert again"),
            calls(How::Insert, "insert once more"),
            calls(How::Remove, "remove"),
            calls(How::Remove, "remove again"),
            calls(How::Repeat, "repeat"),
            calls(How::Swap, "swap"),
            calls(How::Value, "value"),
            calls(How::Value, "value again"),
            calls(How::Splice, "splice"),
            calls(How::Splice, "splice again"),
        ),
        3,
    )
}
