/// The only view of a packet that pure code has: every access is bounds-checked, in the kernel in a way that
/// the verifier follows.
pub trait Frame {
    /// Bytes in the frame, Ethernet header included.
    fn length(&self) -> usize;

    /// The `T` at `offset`, or `None` where the frame ends before it. `T` must have alignment 1.
    fn view<T: bytemuck::Pod>(&self, offset: usize) -> Option<&T>;

    /// As [`Self::view`], to write.
    fn view_mut<T: bytemuck::Pod>(&mut self, offset: usize) -> Option<&mut T>;

    /// Makes room for `N` bytes in front. They hold anything; all offsets move up by `N`. `None`: there is
    /// no room, and the frame is as it was.
    fn grow_front<const N: usize>(&mut self) -> Option<()>;

    /// Cuts or extends the end to `length` bytes. `None`: impossible, and the frame is as it was.
    fn set_length(&mut self, length: usize) -> Option<()>;
}
