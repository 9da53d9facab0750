//! The kernel's answer to a call.

/// The kernel's answer to a call.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The call's return value.
    pub result: i64,
    /// The bytes added with [`Call::output`] and [`Call::inout`], as the kernel has left them.
    pub out: &'a [u8],
}

impl Answer<'_> {
    /// Returns `N` bytes of the output.
    pub fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        // The output has the length that the call has asked for, so no call that is described well gets the zeros.
        self.out.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    /// Returns the bytes that were written by a call whose result is their number.
    pub fn written(&self) -> Vec<u8> {
        let length = usize::try_from(self.result).unwrap_or(0);
        self.out.get(..length).unwrap_or(self.out).to_vec()
    }

    /// Returns a `u32` of the output.
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    /// Returns a `u64` of the output.
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }
}
