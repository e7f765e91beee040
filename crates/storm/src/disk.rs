//! The disk under the tape: it can be slow, full, refuse to sync, and be cut off in the middle of a write.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bellwether::tape::Disk;

use crate::sim::Sim;
use crate::world::Fault;

/// A file with what goes wrong above it. What the dead write goes nowhere.
pub struct Rough {
    sim: Arc<Sim>,
    life: u64,
    file: File,
}

impl Rough {
    /// The disk of a life.
    pub fn new(sim: Arc<Sim>, life: u64, file: File) -> Self {
        sim.world().disk_opened(life, file.metadata().map_or(0, |m| m.len()));
        Self { sim, life, file }
    }
}

/// What becomes of a write.
pub enum Written {
    /// All of it is written.
    Whole,
    /// So many bytes are, and then the process is dead.
    Dead(usize),
    /// So many bytes are, and then there is no room.
    Full(usize),
}

impl Disk for Rough {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.sim.world().disk_write(self.life, bytes.len()) {
            Written::Whole => self.file.write_all(bytes)?,
            Written::Dead(count) => return self.file.write_all(bytes.get(..count).unwrap_or(bytes)),
            Written::Full(count) => {
                self.file.write_all(bytes.get(..count).unwrap_or(bytes))?;
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
        }
        self.sim.world().disk_written(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let mut world = self.sim.world();
        if world.is_dead(self.life) {
            return Ok(());
        }
        if world.disk_sync_fails() {
            world.struck(Fault::SyncFailed);
            return Err(io::Error::other("the disk could not sync"));
        }
        world.disk_synced(len);
        Ok(())
    }
}
