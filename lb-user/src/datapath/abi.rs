//! The one bridge between the shared layouts and aya.

/// A shared layout as aya wants it: `lb_ebpf` knows nothing of aya, and aya nothing of `bytemuck`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Abi<T>(pub(super) T);

// SAFETY: `bytemuck::Pod` already promises Copy + 'static, no padding and every bit pattern valid; transparent
// keeps the layout.
#[expect(unsafe_code, reason = "aya's marker trait is unsafe")]
unsafe impl<T: bytemuck::Pod> aya::Pod for Abi<T> {}
