//! Frames: what is read back, what is damage, and what is a torn end.

use std::path::{Path, PathBuf};

use bellwether_sdk::{Instrument, InstrumentId, Qty, Ts};

use super::{InstrumentRecord, MaximaRecord, Mode, Record, Start, TapeError, TapeReader, TapeWriter};
use crate::config::Durability;

fn written(dir: &Path, count: i64) -> PathBuf {
    let path = dir.join("t.tape");
    let mut tape = TapeWriter::create(&path, Durability::Direct).expect("created");
    for i in 0..count {
        tape.append(&Record::Clock(Ts::from_nanos(i))).expect("appended");
    }
    tape.flush().expect("flushed");
    path
}

fn read(path: &Path) -> Result<(Vec<Record>, u64), TapeError> {
    let mut reader = TapeReader::open(path)?;
    let mut records = Vec::new();
    while let Some((number, record)) = reader.read()? {
        assert_eq!(number, records.len() as u64);
        records.push(record);
    }
    Ok((records, reader.torn()))
}

#[test]
fn what_was_written_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let (records, torn) = read(&written(dir.path(), 100)).expect("read");
    assert_eq!((records.len(), torn), (100, 0));
    assert_eq!(records[99], Record::Clock(Ts::from_nanos(99)));
}

#[test]
fn a_flipped_bit_is_found_at_its_record_wherever_it_is_and_never_taken_for_a_torn_tail() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), 5);
    let bytes = std::fs::read(&path).expect("read");
    for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        std::fs::write(&path, &flipped).expect("written");
        match read(&path) {
            Err(TapeError::Damaged { number, .. }) => {
                // Ten bytes each but for the first number, whose zero takes one byte too.
                let record = (at as u64 - 8) / ((bytes.len() as u64 - 8) / 5);
                assert_eq!(number, record, "bit {bit} of byte {at}");
            }
            Err(TapeError::Magic { .. }) => assert!(at < 8, "byte {at}"),
            other => panic!("bit {bit} of byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_record_and_the_tape_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), 5);
    let bytes = std::fs::read(&path).expect("read");
    for cut in 8..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).expect("written");
        let mut reader = TapeReader::open(&path).expect("open");
        let mut whole = 0;
        while reader.read().expect("no damage").is_some() {
            whole += 1;
        }
        let mut tape = TapeWriter::resume(reader, Durability::Staged).expect("resumed");
        tape.append(&Record::Clock(Ts::from_nanos(7))).expect("appended");
        tape.sync().expect("synced");
        let (records, torn) = read(&path).expect("read");
        assert_eq!((records.len(), torn), (whole + 1, 0), "cut at {cut}");
    }
}

#[test]
fn zeros_at_the_end_are_what_a_loss_of_power_left_and_are_cut() {
    let dir = tempfile::tempdir().expect("a folder");
    // Of the last record's ten bytes of payload and check so many are lost too.
    for (lost, zeros) in [(1, 5_000), (4, 64), (7, 100)] {
        let path = written(dir.path(), 5);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.truncate(bytes.len() - lost);
        bytes.resize(bytes.len() + zeros, 0);
        std::fs::write(&path, &bytes).expect("written");
        let found = read(&path).map(|(records, torn)| (records.len(), torn > 0));
        assert!(matches!(found, Ok((4, true))), "{lost} lost: {found:?}");
        std::fs::remove_file(&path).expect("removed");
    }
    for zeros in [1, 7, 8, 9, 5_000] {
        let path = written(dir.path(), 5);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.resize(bytes.len() + zeros, 0);
        std::fs::write(&path, &bytes).expect("written");
        let (records, torn) = read(&path).expect("read");
        assert_eq!((records.len(), torn), (5, zeros as u64));
        // Zeros with something behind them are damage.
        bytes.resize(bytes.len() + 8, 0);
        bytes.push(1);
        std::fs::write(&path, &bytes).expect("written");
        assert!(read(&path).is_err(), "{zeros} zeros and a one");
        std::fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn a_record_whose_rest_is_zeros_is_what_a_loss_of_power_left_and_is_cut() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.tape");
    let mut tape = TapeWriter::create(&path, Durability::Direct).expect("created");
    tape.append(&Record::Effect("order 1 buy 0.001 of something with a long name".to_owned())).expect("appended");
    tape.append(&Record::Effect("order 2 sell 0.001 of something with a long name".to_owned())).expect("appended");
    tape.flush().expect("flushed");
    drop(tape);
    let bytes = std::fs::read(&path).expect("read");
    let second = bytes.len() / 2 + 4;
    for from in second + 1..bytes.len() - 8 {
        for behind in [0, 100] {
            let mut cut = bytes.clone();
            cut[from..].fill(0);
            cut.resize(bytes.len() + behind, 0);
            std::fs::write(&path, &cut).expect("written");
            let (records, torn) = read(&path).expect("torn, not damaged");
            assert!(records.len() == 1 && torn > 0, "zeros from {from} with {behind} behind");
        }
    }
}

#[test]
fn a_file_that_is_no_tape_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t");
    std::fs::write(&path, "BW").expect("written");
    assert!(TapeReader::open(&path).err().expect("refused").to_string().contains("no tape of version 01"));
}

#[test]
fn a_start_tells_the_largest_orders_and_one_from_before_they_were_told_has_none() {
    let small = Instrument {
        qty_max: Qty::from_mantissa(9_000),
        qty_max_market: Qty::from_mantissa(120),
        notional_max: i128::from(i64::MAX) * 10,
        ..Instrument::inferred(InstrumentId(0), "test:AAA/USD".parse().expect("a symbol"), 2, 3)
    };
    let start = |maxima| Start {
        mode: Mode::Paper,
        session: 1,
        version: String::new(),
        program: String::new(),
        created: Ts::NONE,
        settings: String::new(),
        instruments: vec![InstrumentRecord::new(&small, None, Vec::new())],
        place: String::new(),
        pace: 1,
        maxima,
    };
    let dir = tempfile::tempdir().expect("a folder");
    let told = |payload: &[u8]| {
        let path = dir.path().join("t.tape");
        let mut bytes = b"BWTAPE01".to_vec();
        let mut check = crc32fast::Hasher::new_with_initial(crc32fast::hash(&bytes));
        check.update(payload);
        bytes.extend(u32::try_from(payload.len()).expect("short").to_le_bytes());
        bytes.extend(check.finalize().to_le_bytes());
        bytes.extend(payload);
        std::fs::write(&path, bytes).expect("written");
        match read(&path).expect("read").0.as_slice() {
            [Record::Start(start)] => start.instrument(InstrumentId(0)).expect("an instrument"),
            other => panic!("{other:?}"),
        }
    };
    let bytes = |start| postcard::to_allocvec(&Record::Start(Box::new(start))).expect("bytes");
    assert_eq!(told(&bytes(start(vec![MaximaRecord::new(&small)]))), small);
    // An empty list is one byte, the last.
    let older = bytes(start(Vec::new()));
    let none = Instrument { qty_max: Qty::ZERO, qty_max_market: Qty::ZERO, notional_max: 0, ..small.clone() };
    assert_eq!(told(&older[..older.len() - 1]), none);
}
