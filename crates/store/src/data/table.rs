//! Rows in memory: columns of integers at the table's own scales, with sorting, merging and the canonical hash.

use std::cmp::Ordering;
use std::ops::Range;

use bellwether_sdk::num::{format_mantissa, pow10};
use sha2::{Digest, Sha256};

use super::schema::{Column, NULL, Row, TS, Unit, WIDTH, columns, depth, trade};
use super::time::{Month, iso};
use crate::market::Kind;

/// The first magnitude that a DECIMAL(18) does not hold.
pub(crate) const MANTISSA_END: i64 = 1_000_000_000_000_000_000;

/// A value does not fit 18 digits at the scale of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooWide {
    /// The row that does not fit.
    pub(crate) row: usize,
    /// The scale asked for.
    pub(crate) scale: u8,
}

/// Rows of one kind. A column without any value takes no memory.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    kind: Kind,
    price_scale: u8,
    qty_scale: u8,
    len: usize,
    cols: Vec<Vec<i64>>,
    texts: Vec<String>,
}

impl Table {
    /// No rows, at given scales.
    pub(crate) fn new(kind: Kind, price_scale: u8, qty_scale: u8) -> Self {
        Self { kind, price_scale, qty_scale, len: 0, cols: vec![Vec::new(); WIDTH], texts: Vec::new() }
    }

    /// From columns as read from a file; each is empty or `len` long.
    pub(crate) fn from_columns(
        kind: Kind,
        scales: (u8, u8),
        len: usize,
        cols: Vec<Vec<i64>>,
        texts: Vec<String>,
    ) -> Self {
        Self { kind, price_scale: scales.0, qty_scale: scales.1, len, cols, texts }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives rows another kind with the same columns: bars, once their interval is known.
    pub(crate) fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    pub(crate) fn schema(&self) -> &'static [Column] {
        columns(self.kind)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Price and quantity scale.
    pub(crate) fn scales(&self) -> (u8, u8) {
        (self.price_scale, self.qty_scale)
    }

    /// The scale of a unit's mantissas.
    pub(crate) fn scale_of(&self, unit: Unit) -> u8 {
        match unit {
            Unit::Price => self.price_scale,
            Unit::Qty => self.qty_scale,
            Unit::Rate => bellwether_sdk::Rate::SCALE,
            _ => 0,
        }
    }

    /// One column; empty when it has no value at all.
    pub(crate) fn col(&self, index: usize) -> &[i64] {
        &self.cols[index]
    }

    pub(crate) fn col_mut(&mut self, index: usize) -> &mut Vec<i64> {
        &mut self.cols[index]
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    pub(crate) fn add_text(&mut self, text: String) -> i64 {
        self.texts.push(text);
        self.texts.len() as i64 - 1
    }

    /// One value.
    #[inline]
    pub(crate) fn get(&self, column: usize, row: usize) -> i64 {
        let col = &self.cols[column];
        if col.is_empty() { NULL } else { col[row] }
    }

    /// Adds a row at this table's scales.
    #[inline]
    pub(crate) fn push(&mut self, row: &Row) {
        for (col, value) in self.cols.iter_mut().zip(row) {
            if *value != NULL || !col.is_empty() {
                if col.len() < self.len {
                    col.resize(self.len, NULL);
                }
                col.push(*value);
            }
        }
        self.len += 1;
    }

    /// First and last time of sorted rows.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        Some((*self.cols[TS].first()?, *self.cols[TS].last()?))
    }

    /// Moves prices or quantities to a finer scale.
    pub(crate) fn raise(&mut self, unit: Unit, scale: u8) -> Result<(), TooWide> {
        let from = self.scale_of(unit);
        if scale <= from {
            return Ok(());
        }
        let factor = pow10(scale - from);
        for (col, _) in self.cols.iter_mut().zip(columns(self.kind)).filter(|(_, c)| c.unit == unit) {
            for (row, value) in col.iter_mut().enumerate().filter(|(_, v)| **v != NULL) {
                *value = value.checked_mul(factor).filter(|v| v.abs() < MANTISSA_END).ok_or(TooWide { row, scale })?;
            }
        }
        match unit {
            Unit::Price => self.price_scale = scale,
            _ => self.qty_scale = scale,
        }
        Ok(())
    }

    /// Moves to the coarsest scales that hold every value, so that equal rows have equal files and hashes.
    pub(crate) fn reduce_scales(&mut self) {
        for unit in [Unit::Price, Unit::Qty] {
            let scale = self.scale_of(unit);
            let mut cut = scale;
            for (col, _) in self.cols.iter().zip(columns(self.kind)).filter(|(_, c)| c.unit == unit) {
                for value in col.iter().filter(|v| **v != NULL && **v != 0) {
                    while cut > 0 && value % pow10(cut) != 0 {
                        cut -= 1;
                    }
                    if cut == 0 {
                        break;
                    }
                }
            }
            if cut == 0 {
                continue;
            }
            for (col, _) in self.cols.iter_mut().zip(columns(self.kind)).filter(|(_, c)| c.unit == unit) {
                col.iter_mut().filter(|v| **v != NULL).for_each(|v| *v /= pow10(cut));
            }
            match unit {
                Unit::Price => self.price_scale -= cut,
                _ => self.qty_scale -= cut,
            }
        }
    }

    /// What rows are sorted by: time, then for depth the last change, so that sources merge the same in any order.
    #[inline]
    fn key(&self, row: usize) -> (i64, i64) {
        let second = if self.kind == Kind::Depth { self.get(depth::LAST_ID, row) } else { 0 };
        (self.cols[TS][row], second)
    }

    /// Sorts by time, equal times staying as they stand; trades of one time go by their ids where these count up, and
    /// depth messages stay whole and are numbered anew.
    pub(crate) fn sort(&mut self) {
        self.sort_by(Self::key);
        if self.kind == Kind::Trades && self.ids_count_up() {
            self.sort_by(|t, row| (t.cols[TS][row], t.get(trade::ID, row)));
        }
        if self.kind == Kind::Depth {
            let (mut number, mut before) = (-1, NULL);
            for msg in &mut self.cols[depth::MSG] {
                if *msg != before {
                    before = *msg;
                    number += 1;
                }
                *msg = number;
            }
        }
    }

    fn sort_by(&mut self, key: impl Fn(&Self, usize) -> (i64, i64)) {
        if (1..self.len).all(|i| key(self, i - 1) <= key(self, i)) {
            return;
        }
        let mut order: Vec<u32> = (0..self.len as u32).collect();
        order.sort_by_key(|i| key(self, *i as usize));
        for col in self.cols.iter_mut().filter(|c| !c.is_empty()) {
            *col = order.iter().map(|i| col[*i as usize]).collect();
        }
    }

    /// Whether any row has a quantity.
    pub(crate) fn has_qty(&self) -> bool {
        let of_qty = self.cols.iter().zip(columns(self.kind)).filter(|(_, c)| c.unit == Unit::Qty);
        of_qty.flat_map(|(col, _)| col).any(|v| *v != NULL && *v != 0)
    }

    /// Turns the rows round: the last is the first.
    pub(crate) fn reverse(&mut self) {
        self.cols.iter_mut().for_each(|col| col.reverse());
    }

    /// Whether the ids of trades, sorted by time, rise with it but for a few. Ids of some venues are numbers without
    /// an order (hashes), and these say nothing about trades of one time.
    fn ids_count_up(&self) -> bool {
        let steps = (1..self.len).filter(|i| self.cols[TS][i - 1] < self.cols[TS][*i]);
        let pairs = steps.map(|i| (self.get(trade::ID, i - 1), self.get(trade::ID, i)));
        let (mut up, mut all) = (0usize, 0usize);
        for (before, after) in pairs.filter(|(before, after)| *before != NULL && *after != NULL) {
            all += 1;
            up += usize::from(before < after);
        }
        up * 20 >= all * 19
    }

    /// A copy of some rows.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let mut out = Self::new(self.kind, self.price_scale, self.qty_scale);
        out.len = range.len();
        for (to, from) in out.cols.iter_mut().zip(&self.cols) {
            if !from.is_empty() {
                *to = from[range.clone()].to_vec();
            }
        }
        if let Some(c) = self.text_column() {
            for value in &mut out.cols[c] {
                if *value != NULL {
                    out.texts.push(self.texts[*value as usize].clone());
                    *value = out.texts.len() as i64 - 1;
                }
            }
        }
        out
    }

    fn text_column(&self) -> Option<usize> {
        self.schema().iter().position(|c| c.unit == Unit::Text)
    }

    /// Appends rows of another table, bringing both to common scales; its depth messages become new ones.
    pub(crate) fn append(&mut self, other: &Self) -> Result<(), TooWide> {
        let msg_before = self.cols[depth::MSG].last().copied().unwrap_or(0) + 1;
        self.append_numbered(other, if self.kind == Kind::Depth { msg_before } else { 0 })
    }

    /// Appends the next rows of the same file: depth messages keep their numbers.
    pub(crate) fn append_rows(&mut self, other: &Self) -> Result<(), TooWide> {
        self.append_numbered(other, 0)
    }

    fn append_numbered(&mut self, other: &Self, msg_before: i64) -> Result<(), TooWide> {
        self.raise(Unit::Price, other.price_scale)?;
        self.raise(Unit::Qty, other.qty_scale)?;
        let mut moved;
        let other = if other.scales() == self.scales() {
            other
        } else {
            moved = other.clone();
            moved.raise(Unit::Price, self.price_scale)?;
            moved.raise(Unit::Qty, self.qty_scale)?;
            &moved
        };
        let text = self.text_column();
        let texts_before = self.texts.len() as i64;
        for (c, (to, from)) in self.cols.iter_mut().zip(&other.cols).enumerate() {
            if from.is_empty() && to.is_empty() {
                continue;
            }
            to.resize(self.len, NULL);
            if from.is_empty() {
                to.resize(self.len + other.len, NULL);
            } else if Some(c) == text {
                to.extend(from.iter().map(|v| if *v == NULL { NULL } else { v + texts_before }));
            } else if self.kind == Kind::Depth && c == depth::MSG {
                to.extend(from.iter().map(|v| v + msg_before));
            } else {
                to.extend_from_slice(from);
            }
        }
        self.texts.extend_from_slice(&other.texts);
        self.len += other.len;
        Ok(())
    }

    /// Keeps the rows for which `keep` is true.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        for col in self.cols.iter_mut().filter(|c| !c.is_empty()) {
            let mut flags = keep.iter();
            col.retain(|_| flags.next().copied().unwrap_or(true));
        }
        self.len = keep.iter().filter(|k| **k).count();
    }

    /// The months of sorted rows, with their ranges.
    pub(crate) fn months(&self) -> Vec<(Month, Range<usize>)> {
        let ts = &self.cols[TS];
        let mut out = Vec::new();
        let mut start = 0;
        while start < ts.len() {
            let month = Month::of(ts[start]);
            let end = start + ts[start..].partition_point(|t| *t < month.end());
            out.push((month, start..end.max(start + 1)));
            start = end.max(start + 1);
        }
        out
    }

    /// The range of sorted rows within `[from, to)`.
    pub(crate) fn rows_within(&self, from: i64, to: i64) -> Range<usize> {
        let ts = &self.cols[TS];
        let start = ts.partition_point(|t| *t < from);
        start..start + ts[start..].partition_point(|t| *t < to)
    }

    /// The first column in which two rows differ, both tables at the same scales. A value absent on one side agrees.
    pub(crate) fn difference(&self, row: usize, other: &Self, other_row: usize) -> Option<usize> {
        self.schema().iter().enumerate().position(|(c, column)| {
            let (a, b) = (self.get(c, row), other.get(c, other_row));
            if a == NULL || b == NULL || (self.kind == Kind::Depth && c == depth::MSG) {
                return false;
            }
            if column.unit == Unit::Text { self.texts[a as usize] != other.texts[b as usize] } else { a != b }
        })
    }

    /// One value as text; empty when absent.
    pub(crate) fn text(&self, column: usize, row: usize) -> String {
        let value = self.get(column, row);
        let unit = self.schema()[column].unit;
        match unit {
            _ if value == NULL => String::new(),
            Unit::Time | Unit::Int => value.to_string(),
            Unit::Float => f64::from_bits(value as u64).to_string(),
            Unit::Text => self.texts[value as usize].clone(),
            Unit::Price | Unit::Qty | Unit::Rate => format_mantissa(value, self.scale_of(unit)),
        }
    }

    /// A row in words, for messages.
    pub(crate) fn describe(&self, row: usize) -> String {
        let shown = |(c, column): (usize, &Column)| {
            let text = self.text(c, row);
            let hidden = text.is_empty() || c == TS || (self.kind == Kind::Depth && c == depth::MSG);
            let text = if column.unit == Unit::Time { iso(self.get(c, row)) } else { text };
            (!hidden).then(|| format!("{} {text}", column.name))
        };
        self.schema().iter().enumerate().filter_map(shown).collect::<Vec<_>>().join(", ")
    }

    /// The canonical hash of all rows, see [`RowHasher`].
    pub(crate) fn hash(&self) -> String {
        let mut hasher = RowHasher::new(self.kind, self.scales());
        hasher.feed(self);
        hasher.finish()
    }

    /// Compares times of two rows of two tables.
    pub(crate) fn cmp_ts(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.cols[TS][row].cmp(&other.cols[TS][other_row])
    }
}

/// SHA-256 over the kind, the scales and every row: each value eight bytes little-endian, absent ones `i64::MIN`,
/// texts as their length and bytes. Says nothing of the encoding of a file.
pub(crate) struct RowHasher {
    hasher: Sha256,
    bytes: Vec<u8>,
}

impl RowHasher {
    pub(crate) fn new(kind: Kind, (price_scale, qty_scale): (u8, u8)) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(format!("bellwether rows 1 {kind} {price_scale} {qty_scale}\n"));
        Self { hasher, bytes: Vec::with_capacity(1 << 16) }
    }

    /// Takes the next rows, which are at the scales told.
    pub(crate) fn feed(&mut self, table: &Table) {
        for row in 0..table.len() {
            for (c, column) in table.schema().iter().enumerate() {
                let value = table.get(c, row);
                if column.unit == Unit::Text && value != NULL {
                    let text = table.texts[value as usize].as_bytes();
                    self.bytes.extend_from_slice(&(text.len() as i64).to_le_bytes());
                    self.bytes.extend_from_slice(text);
                } else {
                    self.bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
            if self.bytes.len() >= 1 << 16 {
                self.hasher.update(&self.bytes);
                self.bytes.clear();
            }
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.hasher.update(&self.bytes);
        hex(&self.hasher.finalize())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}
