/// The only view of a packet that pure code has: every access is bounds-checked, in the kernel in a way that
/// the verifier follows.
pub trait Frame {
    /// Bytes that can be viewed, Ethernet header included: the first buffer of the frame.
    fn length(&self) -> usize;

    /// Bytes in all buffers of the frame. Dearer than [`Self::length`], which is all there is in most frames.
    fn whole_length(&self) -> usize;

    /// The `T` at `offset`, or `None` where the frame ends before it. `T` must have alignment 1.
    fn view<T: bytemuck::Pod>(&self, offset: usize) -> Option<&T>;

    /// As [`Self::view`], to write.
    fn view_mut<T: bytemuck::Pod>(&mut self, offset: usize) -> Option<&mut T>;

    /// Makes room for `N` bytes in front. They hold anything; all offsets move up by `N`. `None`: there is
    /// no room, and the frame is as it was.
    fn grow_front<const N: usize>(&mut self) -> Option<()>;

    /// Cuts or extends the whole frame to `length` bytes. `None`: impossible, and the frame is as it was.
    fn set_length(&mut self, length: usize) -> Option<()>;
}
