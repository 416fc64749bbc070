//! Words of an array map that the XDP program reads while they are written.
//!
//! An update through the system call copies a value byte by byte as far as the kernel promises, so a reader
//! could see half of it (measured: thousands of torn reads a second). Through a mapping a word is one atomic
//! store, and a stick entry can be compared and exchanged against the data path.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The first word of every value of an mmapable array map.
#[derive(Debug)]
pub(super) struct Words {
    base: NonNull<u8>,
    length: NonZeroUsize,
    /// Bytes from value to value.
    stride: usize,
    entries: u32,
}

#[expect(unsafe_code, reason = "shared memory with the kernel")]
impl Words {
    /// Maps the array behind `map`, which holds `entries` values of `T`.
    pub(super) fn map<T>(map: BorrowedFd<'_>, entries: u32) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8, "a value begins with a word") };
        let stride = size_of::<T>();
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let length = usize::try_from(entries).ok().and_then(|entries| entries.checked_mul(stride));
        let length = length.and_then(NonZeroUsize::new).ok_or_else(invalid)?;
        // SAFETY: a fresh mapping of a map that the kernel keeps as long as it is mapped; nothing else is at
        // the address that the kernel chooses.
        let base = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, map, 0)
        }?;
        Ok(Self { base: base.cast(), length, stride, entries })
    }

    /// How many values there are.
    pub(super) fn entries(&self) -> u32 {
        self.entries
    }

    /// `None`: out of range.
    pub(super) fn load(&self, index: u32) -> Option<u64> {
        Some(self.word(index)?.load(Ordering::Acquire))
    }

    pub(super) fn store(&self, index: u32, value: u64) -> Option<()> {
        self.word(index)?.store(value, Ordering::Release);
        Some(())
    }

    /// Whether the word was `old` and is `new` now.
    pub(super) fn exchange(&self, index: u32, old: u64, new: u64) -> bool {
        self.word(index)
            .is_some_and(|word| word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).is_ok())
    }

    fn word(&self, index: u32) -> Option<&AtomicU64> {
        if index >= self.entries {
            return None;
        }
        let offset = usize::try_from(index).ok()? * self.stride;
        // SAFETY: below `length` because index < entries; aligned because base is a page and stride a multiple
        // of 8; the mapping lives as long as self; other writers (the kernel) are atomic too.
        Some(unsafe { self.base.add(offset).cast::<AtomicU64>().as_ref() })
    }
}

#[expect(unsafe_code, reason = "the mapping was made by hand")]
impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping of `map`, and no reference into it outlives self.
        if let Err(error) = unsafe { munmap(self.base.cast(), self.length.get()) } {
            tracing::warn!(%error, "cannot unmap the words of a map");
        }
    }
}

// SAFETY: all access is through atomics; the mapping is not bound to a thread.
#[expect(unsafe_code, reason = "a raw pointer is not Send by itself")]
unsafe impl Send for Words {}
