//! An allocator that clears memory when it is freed.
//!
//! Types that zero themselves ([`crate::core::secret::Secret`]) cover our own copies of a secret. The AWS SDK, the TLS
//! library and the XML and JSON readers make their own, in plain strings and buffers, and free them as they are. This
//! reaches those too. It does not reach the stack, registers, or what a C library allocates by itself (the resolver);
//! none of those see a secret key as text for long.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator; every block is zeroed before it goes back.
///
/// `realloc` is deliberately the trait's own: allocate, copy, free. The system's `realloc` may move a block and leaves the
/// old one as it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClearingAllocator<A = System>(A);

impl ClearingAllocator {
    /// The clearing allocator over the system's.
    pub const fn new() -> Self {
        Self(System)
    }
}

#[expect(unsafe_code, reason = "an allocator can't be written without: the trait and its methods are unsafe")]
// SAFETY: every call goes to the inner allocator unchanged; a block is only written to between the caller's last use of it
// and its return to the inner allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for ClearingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is the inner allocator's.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above. Asked of the system, large zeroed blocks cost no writes.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says that `block` was allocated here with `layout`, so `size` bytes of it may be written, and
        // that nobody uses it any more.
        unsafe {
            wipe(block, layout.size());
            self.0.dealloc(block, layout);
        }
    }
}

/// Zeroes memory that nobody will read again.
///
/// The compiler knows what `free` means and removes plain stores before it, in a release build certainly. The empty
/// assembly takes the pointer and may, for all the compiler knows, read what it points to: so the stores have to be made,
/// and can still be one fast `memset`.
///
/// # Safety
/// `length` bytes from `block` on can be written.
#[expect(unsafe_code, reason = "writes raw memory")]
#[inline]
unsafe fn wipe(block: *mut u8, length: usize) {
    // SAFETY: the caller's promise; the assembly is empty and touches neither stack nor flags.
    unsafe {
        block.write_bytes(0, length);
        std::arch::asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags));
    }
}

/// Returns freed memory to the system after large tasks. Otherwise glibc keeps it, as other blocks lie between the
/// freed ones.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a function of the C library")]
        // SAFETY: any thread may call it at any time, and it moves no block that is in use.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "drives an allocator by hand")]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Records what is in each block at the moment at which it comes back.
    struct Recording(Mutex<Vec<Vec<u8>>>);

    // SAFETY: the system's allocator, with a look at a block that is still allocated.
    unsafe impl GlobalAlloc for Recording {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: still allocated, and every byte was written by `wipe` or by the test.
            unsafe {
                self.0.lock().unwrap().push(std::slice::from_raw_parts(block, layout.size()).to_vec());
                System.dealloc(block, layout);
            }
        }
    }

    #[test]
    fn a_freed_block_is_zeroed() {
        let allocator = ClearingAllocator(Recording(Mutex::default()));
        let layout = Layout::from_size_align(4099, 8).unwrap();
        // SAFETY: allocated and freed with the same layout, written within its size.
        unsafe {
            let block = allocator.alloc(layout);
            block.write_bytes(0xAA, layout.size());
            allocator.dealloc(block, layout);
        }
        assert_eq!(*allocator.0.0.lock().unwrap(), [vec![0; 4099]]);
    }

    #[test]
    fn a_block_that_grows_or_shrinks_leaves_nothing_behind() {
        let allocator = ClearingAllocator(Recording(Mutex::default()));
        let layout = Layout::from_size_align(32, 1).unwrap();
        // SAFETY: each block is used with the size that it has at that time.
        unsafe {
            let block = allocator.alloc(layout);
            block.write_bytes(0xAA, 32);
            let block = allocator.realloc(block, layout, 64);
            assert_eq!(std::slice::from_raw_parts(block, 32), [0xAA; 32]);
            block.write_bytes(0xAA, 64);
            let block = allocator.realloc(block, Layout::from_size_align(64, 1).unwrap(), 16);
            assert_eq!(std::slice::from_raw_parts(block, 16), [0xAA; 16]);
            allocator.dealloc(block, Layout::from_size_align(16, 1).unwrap());
        }
        let seen = allocator.0.0.lock().unwrap();
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [32, 64, 16]);
        assert!(seen.iter().flatten().all(|byte| *byte == 0));
    }
}
