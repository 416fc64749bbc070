//! Packet memory. The only place that reads or writes it.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len},
};
use bytemuck::Pod;
use lb_ebpf::net::Frame;

/// The frame of an XDP program's context.
pub(super) struct XdpFrame {
    context: *mut xdp_md,
    data: usize,
    end: usize,
}

impl XdpFrame {
    /// # Safety
    /// `context` is the context of the program that runs.
    #[inline(always)]
    pub(super) unsafe fn new(context: *mut xdp_md) -> Self {
        // SAFETY: the caller's promise; the kernel keeps both fields readable.
        let (data, end) = unsafe { ((*context).data as usize, (*context).data_end as usize) };
        Self { context, data, end }
    }

    /// A helper moved the frame: the pointers of before are void.
    #[inline(always)]
    fn reload(&mut self) {
        // SAFETY: `context` was valid at construction and lives as long as the program runs.
        *self = unsafe { Self::new(self.context) };
    }

    #[inline(always)]
    fn at<T: Pod>(&self, offset: usize) -> Option<*mut T> {
        const { assert!(align_of::<T>() == 1, "a header in a packet is aligned to nothing") };
        let start = self.data + offset;
        (start + size_of::<T>() <= self.end).then_some(start as *mut T)
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn length(&self) -> usize {
        self.end - self.data
    }

    #[inline(always)]
    fn whole_length(&self) -> usize {
        // SAFETY: `context` is the running program's.
        (unsafe { bpf_xdp_get_buff_len(self.context) }) as usize
    }

    #[inline(always)]
    fn view<T: Pod>(&self, offset: usize) -> Option<&T> {
        // SAFETY: `at` has checked that the bytes lie below the frame's end; any bytes are a `T` (Pod) and its
        // alignment is 1. The reference ends before anything can move the frame, which needs `&mut self`.
        self.at(offset).map(|start: *mut T| unsafe { &*start })
    }

    #[inline(always)]
    fn view_mut<T: Pod>(&mut self, offset: usize) -> Option<&mut T> {
        // SAFETY: as in `view`; `&mut self` makes it the only reference.
        self.at(offset).map(|start: *mut T| unsafe { &mut *start })
    }

    #[inline(always)]
    fn grow_front<const N: usize>(&mut self) -> Option<()> {
        // SAFETY: `context` is the running program's.
        let result = unsafe { bpf_xdp_adjust_head(self.context, -(N as i32)) };
        self.reload();
        (result == 0).then_some(())
    }

    #[inline(always)]
    fn set_length(&mut self, length: usize) -> Option<()> {
        let change = length as i64 - self.whole_length() as i64;
        // SAFETY: `context` is the running program's.
        let result = unsafe { bpf_xdp_adjust_tail(self.context, change as i32) };
        self.reload();
        (result == 0).then_some(())
    }
}
