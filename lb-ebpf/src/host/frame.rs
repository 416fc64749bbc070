extern crate std;

use core::ops::Range;
use std::vec::Vec;

use crate::net::{Ethernet, Frame};

/// Bytes in front of a frame, as `BPF_PROG_TEST_RUN` and most drivers leave them (`XDP_PACKET_HEADROOM`).
const HEAD_ROOM: usize = 256;
/// What the kernel keeps of the head room for itself (`struct xdp_frame`).
const HEAD_KEPT: usize = 40;
/// Bytes of a page that hold a frame's first buffer: the rest is for `struct skb_shared_info`.
const BUFFER: usize = 4096 - 320;

/// A frame in memory, with the room around it that an XDP program finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFrame {
    /// Head room, the frame, and what it was cut off from.
    memory: Vec<u8>,
    /// Where the frame lies in `memory`.
    place: Range<usize>,
}

impl HostFrame {
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut memory = std::vec![0; HEAD_ROOM];
        memory.extend_from_slice(bytes);
        let place = HEAD_ROOM..memory.len();
        Self { memory, place }
    }

    /// The frame as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.place.clone()).unwrap_or_default()
    }

    /// Where a `T` lies in `memory`, if it lies in the first buffer.
    fn at<T>(&self, offset: usize) -> Option<Range<usize>> {
        let end = offset.checked_add(size_of::<T>())?;
        (end <= self.length()).then(|| self.place.start + offset..self.place.start + end)
    }
}

impl Frame for HostFrame {
    fn length(&self) -> usize {
        self.place.len().min(BUFFER - HEAD_ROOM)
    }

    fn whole_length(&self) -> usize {
        self.place.len()
    }

    fn view<T: bytemuck::Pod>(&self, offset: usize) -> Option<&T> {
        bytemuck::try_from_bytes(self.memory.get(self.at::<T>(offset)?)?).ok()
    }

    fn view_mut<T: bytemuck::Pod>(&mut self, offset: usize) -> Option<&mut T> {
        let place = self.at::<T>(offset)?;
        bytemuck::try_from_bytes_mut(self.memory.get_mut(place)?).ok()
    }

    fn grow_front<const N: usize>(&mut self) -> Option<()> {
        let start = self.place.start.checked_sub(N).filter(|&start| start >= HEAD_KEPT)?;
        self.place.start = start;
        Some(())
    }

    fn set_length(&mut self, length: usize) -> Option<()> {
        let end = self.place.start.checked_add(length)?;
        if length < Ethernet::LENGTH || (end > self.place.end && end > BUFFER) {
            return None;
        }
        self.memory.truncate(self.place.end);
        self.memory.resize(end.max(self.place.start), 0);
        self.place.end = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Be16;

    #[test]
    fn a_view_reaches_to_the_last_byte_and_not_beyond() {
        let frame = HostFrame::new(&[1, 2, 3, 4]);
        assert_eq!(frame.view::<Be16>(2), Some(&Be16::new(0x0304)));
        assert_eq!(frame.view::<Be16>(3), None);
        assert_eq!(frame.view::<Be16>(usize::MAX), None);
    }

    #[test]
    fn only_the_first_buffer_of_a_long_frame_can_be_viewed() {
        let frame = HostFrame::new(&[7; 9000]);
        assert_eq!((frame.length(), frame.whole_length()), (3520, 9000));
        assert_eq!(frame.view::<[u8; 4]>(3517), None);
    }

    #[test]
    fn the_front_grows_until_the_kernel_needs_the_room() {
        let mut frame = HostFrame::new(&[5; 14]);
        assert_eq!(frame.grow_front::<216>(), Some(()));
        assert_eq!(frame.bytes().len(), 230);
        assert_eq!(frame.grow_front::<1>(), None);
        assert_eq!(frame.bytes().len(), 230);
    }

    #[test]
    fn the_end_moves_between_the_ethernet_header_and_the_end_of_the_buffer() {
        let mut frame = HostFrame::new(&[5; 60]);
        assert_eq!(frame.set_length(13), None);
        assert_eq!(frame.set_length(3521), None);
        assert_eq!(frame.set_length(14), Some(()));
        assert_eq!(frame.set_length(16), Some(()));
        assert_eq!(frame.bytes(), [[5; 14].as_slice(), &[0; 2]].concat());
    }
}
