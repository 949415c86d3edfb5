//! What the worker has before it: the open image, and what was begun and is not over. It answers the page's questions;
//! without browser types, so that any source of bytes will do.

use crate::proto::{Opened, Reply, Request, Space};
use crate::session::{Check, Comparing, Hunt, MAX_ANSWER, Search, Session, Strings, Verify};
use stasis_format::ReadAt;
use stasis_format::limits::PAGE;

/// Milliseconds of a step of a search: the page hears of it some times a second.
const STEP_MS: f64 = 100.0;

/// A reply, and the bytes that go along.
pub type Answer = Result<(Reply, Option<Vec<u8>>), String>;

/// The desk.
#[derive(Debug)]
pub struct Desk<S> {
    session: Option<Session<S>>,
    check: Option<Check>,
    verify: Option<Verify>,
    hunt: Option<Hunt>,
    comparing: Option<Comparing<S>>,
}

impl<S> Default for Desk<S> {
    fn default() -> Self {
        Self { session: None, check: None, verify: None, hunt: None, comparing: None }
    }
}

impl<S: ReadAt + Clone> Desk<S> {
    /// Puts the image away.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Opens an image in place of the last one.
    ///
    /// # Errors
    /// A sentence, when the source cannot be read; a file that is no image is none.
    pub fn open(&mut self, source: S, name: String, kernel: Option<String>) -> Result<Opened, String> {
        self.open_with(source, name, kernel, usize::MAX)
    }

    /// The same, but an image with more extents than these is shown by its index first, and judged by `Check`.
    ///
    /// # Errors
    /// As above.
    pub fn open_with(
        &mut self,
        source: S,
        name: String,
        kernel: Option<String>,
        extents: usize,
    ) -> Result<Opened, String> {
        self.open_telling(source, name, kernel, extents, &mut |_, _| {})
    }

    /// The same; `tell` hears how many bytes of how many are read or stepped over.
    ///
    /// # Errors
    /// As above.
    pub fn open_telling(
        &mut self,
        source: S,
        name: String,
        kernel: Option<String>,
        extents: usize,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Opened, String> {
        self.close();
        let session = Session::open_telling(source, name, kernel, extents, tell)?;
        let opened = session.opened()?;
        self.check = session.check();
        self.session = Some(session);
        Ok(opened)
    }

    /// What the next step of a judgement reads, to be fetched ahead: the source, offsets and lengths.
    pub fn ahead(&self) -> Option<(S, Vec<(u64, u64)>)> {
        let (session, check) = (self.session.as_ref()?, self.check.as_ref()?);
        Some((session.source().clone(), session.check_ahead(check)))
    }

    /// Answers any question but that to open; `other` is the image to compare with, `now` gives milliseconds.
    pub fn answer(&mut self, request: Request, other: Option<S>, now: impl Fn() -> f64) -> Answer {
        let plain = |reply| Ok((reply, None));
        let session = self.session.as_mut().ok_or("no image is open")?;
        match request {
            Request::Open { .. } => Err("an image is opened by its source".into()),
            Request::Judge { kernel } => plain(Reply::Judged(session.judge(kernel)?)),
            Request::Check => {
                let check = self.check.take().ok_or("nothing is being checked")?;
                match session.check_step(check)? {
                    Some((check, done, total)) => {
                        self.check = Some(check);
                        plain(Reply::Checking { done, total })
                    }
                    None => plain(Reply::Judged(session.verdict())),
                }
            }
            Request::Verify => {
                self.verify = Some(session.verify());
                plain(Reply::Verifying { done: 0, total: session.len() })
            }
            Request::VerifyStep => {
                let verify = self.verify.take().ok_or("nothing is being checked")?;
                match session.verify_step(verify)? {
                    Some((verify, done)) => {
                        self.verify = Some(verify);
                        plain(Reply::Verifying { done, total: session.len() })
                    }
                    None => plain(Reply::Judged(session.verdict())),
                }
            }
            Request::Tree { first, count } => {
                let (rows, total) = session.rows(first, count)?;
                plain(Reply::Tree { first, rows, total })
            }
            Request::Fold { node, open } => {
                session.tree_mut().fold(node, open);
                let (rows, total) = session.rows(0, 0)?;
                plain(Reply::Tree { first: 0, rows, total })
            }
            Request::Reveal { offset } => plain(Reply::Selected(Box::new(session.reveal(offset)?))),
            Request::RevealRecord { record } => {
                let offset = session.offset_of(record).ok_or("the image has no such record")?;
                plain(Reply::Selected(Box::new(session.reveal(offset)?)))
            }
            Request::RevealRow { row } => {
                let node = session.tree_mut().row(row).ok_or("the tree has no such row")?.0;
                let offset = session.offset_of(node).ok_or("the image has no such record")?;
                plain(Reply::Selected(Box::new(session.reveal(offset)?)))
            }
            Request::GoTo { text, here } => plain(Reply::Readings(session.readings(&text, &here)?)),
            Request::Bytes { space, offset, len } => {
                let (bytes, held) = session.bytes(space, offset, len.into())?;
                Ok((Reply::Bytes { space, offset, held }, Some(bytes)))
            }
            Request::Task { id } => plain(Reply::Task(Box::new(session.task(id)?))),
            Request::Map { mm, whole } => {
                let map = if whole { session.map(mm)? } else { session.outline(mm)? };
                let bytes = crate::areas::pack(&map.areas);
                Ok((Reply::Map(crate::proto::Map { areas: Vec::new(), ..map }), Some(bytes)))
            }
            Request::Search { needle, text, scope, within } => {
                self.hunt = Some(Hunt::Search(Search::new(needle, text, scope, within)));
                self.hunt(now)
            }
            Request::Strings { space, start, len, least, text } => {
                self.hunt = Some(Hunt::Strings(Strings::new(space, start, len, least, &text)));
                self.hunt(now)
            }
            Request::SearchStep => self.hunt(now),
            Request::Export => {
                let bytes = session.json()?;
                let name = format!("{}.json", session.name());
                let reply = Reply::File { name, mime: "application/json".into() };
                Ok((reply, Some(bytes)))
            }
            Request::Save { space, offset, len } => {
                let (mut bytes, _) = session.bytes(space, offset, len.min(MAX_ANSWER))?;
                // Memory comes in whole pages.
                let skip = if space == Space::File { 0 } else { (offset % PAGE) as usize };
                bytes.drain(..skip.min(bytes.len()));
                bytes.truncate(len as usize);
                Ok((Reply::Piece { space, offset }, Some(bytes)))
            }
            Request::Compare { name } => {
                let other = Session::open(other.ok_or("no file came along")?, name, None)?;
                self.comparing = Some(session.compare(other)?);
                self.compare(now)
            }
            Request::CompareStep => self.compare(now),
        }
    }

    fn compare(&mut self, now: impl Fn() -> f64) -> Answer {
        let (Some(session), Some(mut comparing)) = (&mut self.session, self.comparing.take()) else {
            return Err("nothing is being compared".into());
        };
        let until = now() + STEP_MS;
        while now() < until {
            if session.compare_step(&mut comparing)? {
                return Ok((Reply::Compared(comparing.finish()), None));
            }
        }
        let (done, total) = comparing.progress();
        self.comparing = Some(comparing);
        Ok((Reply::Comparing { done, total }, None))
    }

    fn hunt(&mut self, now: impl Fn() -> f64) -> Answer {
        let (Some(session), Some(hunt)) = (&mut self.session, &mut self.hunt) else {
            return Err("nothing is being searched".into());
        };
        let until = now() + STEP_MS;
        let (mut hits, mut over) = (Vec::new(), false);
        while !over && now() < until {
            let (more, end) = session.hunt_step(hunt)?;
            hits.extend(more);
            over = end;
        }
        let (done, total) = session.progress(hunt);
        Ok((Reply::Hits { done, total, hits, over }, None))
    }
}
