//! Lines on stderr, as long as descriptor 2 is what it was.
//!
//! A daemon closes stderr, and what it opens next is descriptor 2: a data file, or a connection. No line of ours goes there.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The device and the file that stderr is; zeroes for none.
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// What descriptor 2 is now; none when it is closed.
fn found() -> Option<(u64, u64)> {
    // SAFETY: never closed by this value, which only asks; a closed descriptor is an error.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(2) });
    file.metadata().ok().map(|m| (m.dev(), m.ino()))
}

/// Takes what descriptor 2 is now for stderr, for all of the process.
pub fn adopt_stderr() {
    let (device, inode) = found().unwrap_or_default();
    DEVICE.store(device, Ordering::Relaxed);
    INODE.store(inode, Ordering::Relaxed);
}

/// Writes a line to stderr, whole. Not through `std::io::stderr`: a thread that waits in there for
/// whoever reads stderr holds a lock, which a child forked meanwhile would never get.
pub fn to_stderr(mut line: String) {
    if found() != Some((DEVICE.load(Ordering::Relaxed), INODE.load(Ordering::Relaxed))) {
        return;
    }
    line.push('\n');
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: as many bytes as the slice has.
        let n = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(n) {
            Ok(n) => rest = &rest[n.min(rest.len())..],
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {
            }
            // A closed stderr is no reason to fail; there is nowhere else to say so.
            Err(_) => return,
        }
    }
}
