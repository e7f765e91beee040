//! Opens a foreign file: plain, gzip, zstd or zip, told apart by their first bytes; hashes the content as it passes.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::Progress;
use crate::data::error::DataError;
use crate::data::table::hex;

const BUFFER: usize = 1 << 17;

/// How far an import is and whether it shall stop; shared by all its files.
pub(super) struct Watch<'a> {
    pub(super) progress: &'a mut dyn FnMut(Progress),
    pub(super) stop: &'a AtomicBool,
    pub(super) done: u64,
    pub(super) total: u64,
}

/// Counts compressed bytes for the progress and looks at the stop flag.
struct Counting<'a, 'b, R> {
    inner: R,
    watch: Rc<RefCell<&'a mut Watch<'b>>>,
}

impl<R: Read> Read for Counting<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut watch = self.watch.borrow_mut();
        if watch.stop.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("interrupted"));
        }
        let read = self.inner.read(buffer)?;
        watch.done += read as u64;
        let now = Progress { bytes: watch.done.min(watch.total), total: watch.total };
        (watch.progress)(now);
        Ok(read)
    }
}

impl<R: Seek> Seek for Counting<'_, '_, R> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Hashes what passes.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Runs `f` over the content of a file, decompressed, and hands back its result and the content's SHA-256.
pub(super) fn read<T>(
    path: &Path,
    watch: &mut Watch<'_>,
    f: impl FnOnce(&mut dyn BufRead) -> Result<T, DataError>,
) -> Result<(T, String), DataError> {
    let stop = watch.stop;
    let result = read_content(path, watch, f);
    if stop.load(Ordering::Relaxed) {
        return Err(DataError::Interrupted);
    }
    result
}

fn read_content<T>(
    path: &Path,
    watch: &mut Watch<'_>,
    f: impl FnOnce(&mut dyn BufRead) -> Result<T, DataError>,
) -> Result<(T, String), DataError> {
    let metadata = std::fs::metadata(path).map_err(DataError::io("opening", path))?;
    if metadata.is_dir() {
        return Err(DataError::file(path, "it is a directory", "name the files in it"));
    }
    if metadata.len() == 0 {
        return Err(DataError::file(path, "the file is empty", "fetch it again"));
    }
    let mut file = File::open(path).map_err(DataError::io("opening", path))?;
    let mut magic = [0u8; 4];
    let got = read_up_to(&mut file, &mut magic).map_err(DataError::io("reading", path))?;
    file.rewind().map_err(DataError::io("reading", path))?;
    let raw = Counting { inner: file, watch: Rc::new(RefCell::new(watch)) };
    match &magic[..got] {
        [0x1f, 0x8b, ..] => content(path, flate2::read::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, raw)), f),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder = zstd::stream::read::Decoder::new(raw).map_err(|e| unreadable(path, &e))?;
            content(path, decoder, f)
        }
        [b'P', b'K', 3, 4] => unzip(path, raw, f),
        _ => content(path, raw, f),
    }
}

fn unzip<T>(
    path: &Path,
    raw: impl Read + Seek,
    f: impl FnOnce(&mut dyn BufRead) -> Result<T, DataError>,
) -> Result<(T, String), DataError> {
    let damaged = |e: zip::result::ZipError| {
        DataError::file(path, format!("the zip archive cannot be read ({e})"), "fetch it again")
    };
    let mut archive = zip::ZipArchive::new(BufReader::with_capacity(BUFFER, raw)).map_err(damaged)?;
    let mut data = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        if !entry.is_dir() && !name.starts_with("__MACOSX") && !name.ends_with(".CHECKSUM") {
            data.push(index);
        }
    }
    let [index] = data[..] else {
        return Err(DataError::file(
            path,
            format!("the zip archive holds {} files, where one is expected", data.len()),
            "unpack it and import the files",
        ));
    };
    content(path, archive.by_index(index).map_err(damaged)?, f)
}

fn content<T>(
    path: &Path,
    reader: impl Read,
    f: impl FnOnce(&mut dyn BufRead) -> Result<T, DataError>,
) -> Result<(T, String), DataError> {
    let mut reader = BufReader::with_capacity(BUFFER, Hashing { inner: reader, hasher: Sha256::new() });
    if reader.fill_buf().map_err(|e| unreadable(path, &e))?.is_empty() {
        return Err(DataError::file(path, "the file is empty", "fetch it again"));
    }
    let result = f(&mut reader)?;
    // What a parser leaves unread belongs to the content, and damage there to its damage.
    std::io::copy(&mut reader, &mut std::io::sink()).map_err(|e| unreadable(path, &e))?;
    Ok((result, hex(&reader.into_inner().hasher.finalize())))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

/// What a failed read of compressed content means.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> DataError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::file(path, "the compressed data is cut off", "fetch it again"),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
            DataError::file(path, format!("the compressed data is damaged ({error})"), "fetch it again")
        }
        _ => DataError::io("reading", path)(std::io::Error::other(error.to_string())),
    }
}
