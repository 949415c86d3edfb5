//! Areas of memory as bytes: a process may have tens of thousands, and as JSON they would take longer to be read than
//! all else. Names, which repeat, are sent once.

use crate::proto::{Area, Map};
use std::collections::HashMap;
use std::rc::Rc;

/// Numbers of 64 bits of an area, and of 32.
const WIDE: usize = 8;
const NARROW: usize = 5;
const ROW: usize = WIDE * 8 + NARROW * 4;

const SHARED: u32 = 1;
const HAS_FIRST: u32 = 2;
const HAS_WITH: u32 = 4;

/// The areas, the names in front.
pub fn pack(areas: &[Area]) -> Vec<u8> {
    let mut names: Vec<Rc<str>> = Vec::new();
    let mut known: HashMap<Rc<str>, u32> = HashMap::new();
    let mut number = |name: &Rc<str>| {
        *known.entry(name.clone()).or_insert_with(|| {
            names.push(name.clone());
            names.len() as u32 - 1
        })
    };
    let mut rows = Vec::with_capacity(areas.len() * ROW);
    for area in areas {
        let wide = [
            area.offset,
            area.start,
            area.end,
            area.resident,
            area.stored,
            area.zero,
            area.from_file,
            area.first.unwrap_or(0),
        ];
        let flag = |on: bool, bit: u32| if on { bit } else { 0 };
        let flags = flag(area.shared, SHARED)
            | flag(area.first.is_some(), HAS_FIRST)
            | flag(area.with.is_some(), HAS_WITH);
        let with = area.with.as_ref().map_or(0, &mut number);
        let narrow = [flags, number(&area.prot), number(&area.kind), number(&area.name), with];
        wide.iter().for_each(|n| rows.extend_from_slice(&n.to_le_bytes()));
        narrow.iter().for_each(|n| rows.extend_from_slice(&n.to_le_bytes()));
    }
    let mut out = Vec::new();
    out.extend_from_slice(&(names.len() as u32).to_le_bytes());
    for name in names {
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out.append(&mut rows);
    out
}

/// The areas from their bytes; `None` for bytes that are none.
pub fn unpack(bytes: &[u8]) -> Option<Vec<Area>> {
    let (count, mut rest) = number(bytes)?;
    let mut names: Vec<Rc<str>> = Vec::new();
    for _ in 0..count {
        let (len, behind) = number(rest)?;
        let (name, behind) = behind.split_at_checked(len as usize)?;
        names.push(std::str::from_utf8(name).ok()?.into());
        rest = behind;
    }
    let area = |row: &[u8]| {
        let row: &[u8; ROW] = row.try_into().ok()?;
        let wide = |n: usize| Some(u64::from_le_bytes(*row.get(n * 8..)?.first_chunk()?));
        let narrow = |n: usize| Some(u32::from_le_bytes(*row.get(WIDE * 8 + n * 4..)?.first_chunk()?));
        let name = |n: usize| names.get(narrow(n)? as usize).cloned();
        let flags = narrow(0)?;
        Some(Area {
            offset: wide(0)?,
            start: wide(1)?,
            end: wide(2)?,
            resident: wide(3)?,
            stored: wide(4)?,
            zero: wide(5)?,
            from_file: wide(6)?,
            first: wide(7).filter(|_| flags & HAS_FIRST != 0),
            shared: flags & SHARED != 0,
            prot: name(1)?,
            kind: name(2)?,
            name: name(3)?,
            with: name(4).filter(|_| flags & HAS_WITH != 0),
        })
    };
    rest.chunks(ROW).map(area).collect()
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

impl Map {
    /// The map with areas that came as bytes; those that came with it stay.
    pub fn with(self, bytes: &[u8]) -> Self {
        match self.areas.is_empty() {
            true => Self { areas: unpack(bytes).unwrap_or_default(), ..self },
            false => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};
    use crate::proto::Area;

    #[test]
    fn areas_come_back_as_they_were_and_anything_else_is_none() {
        let area =
            Area { start: 0x1000, end: 0x3000, prot: "rw-".into(), name: "[heap]".into(), ..Area::default() };
        let shared = Area {
            first: Some(0),
            with: Some("42 sort".into()),
            shared: true,
            kind: "file".into(),
            stored: u64::MAX,
            ..area.clone()
        };
        let areas = vec![area.clone(), shared, area];
        let bytes = pack(&areas);
        assert_eq!(unpack(&bytes), Some(areas));
        assert!(unpack(&bytes[..bytes.len() - 1]).is_none());
        assert!(unpack(&bytes[..7]).is_none());
        assert_eq!(unpack(&pack(&[])), Some(Vec::new()));
    }
}
