//! How much room there is on the disk of a folder, and who is told when it is little.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Notice;
use crate::config::Level;

/// How often it is looked at. It may take a while on a disk that is far away: the thread of the post waits, nobody else.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Bytes that may still be written to the disk of a folder.
///
/// # Errors
/// The system's; where it cannot be asked, that.
#[cfg(unix)]
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes that may still be written to the disk of a folder.
///
/// # Errors
/// That it cannot be asked here.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> io::Result<u64> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system is not asked"))
}

/// Watches the disk of the state folder.
pub(super) struct Disk {
    dir: PathBuf,
    least_mb: u64,
    is_low: bool,
}

impl Disk {
    /// Told when less than so many megabytes are free; 0 for never.
    pub(super) fn new(dir: &Path, least_mb: u64) -> Self {
        Self { dir: dir.to_owned(), least_mb, is_low: false }
    }

    /// What is to be told now: when it has become little, and when it is enough again.
    pub(super) fn look(&mut self) -> Option<Notice> {
        // Where the system cannot be asked there is nothing to tell.
        let free_mb = free_bytes(&self.dir).ok()? / 1_000_000;
        self.judge(free_mb)
    }

    fn judge(&mut self, free_mb: u64) -> Option<Notice> {
        let is_low = free_mb < self.least_mb;
        if is_low == std::mem::replace(&mut self.is_low, is_low) {
            return None;
        }
        let place = self.dir.display();
        let (level, text) = match is_low {
            true => (
                Level::Error,
                format!(
                    "the disk is low: {free_mb} MB are free in {place}, {} are wanted (session.disk_free_min_mb); a full \
                     one stops the tape, and with it all orders",
                    self.least_mb
                ),
            ),
            false => (Level::Info, format!("the disk has room again: {free_mb} MB are free in {place}")),
        };
        Some(Notice::new(super::post::now(), level, "disk", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_told_once_and_its_end_too() {
        let mut disk = Disk::new(Path::new("/"), 500);
        assert_eq!(disk.judge(500), None);
        let told = disk.judge(499).expect("told");
        assert_eq!((told.level, told.topic.as_str()), (Level::Error, "disk"));
        assert_eq!(disk.judge(3), None);
        assert_eq!(disk.judge(501).map(|n| n.level), Some(Level::Info));
        assert!(Disk::new(Path::new("/"), 0).look().is_none(), "0 is never");
    }
}
