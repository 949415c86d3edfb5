//! Judges an image of revision 1: every record by itself, then what the patch's reader would make of it.

use crate::error::{EINVAL, Fault};
use crate::findings::{Finding, Findings, Severity};
use crate::frame;
use crate::head::{HEAD_LEN, Head, KernelVersion, TAIL_LEN, tail_record};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::rev1::{MAX_COMM_LEN, Restart, Step, TASK_COMM_LEN, TASK_LEN, Task};
use crate::rules;
use crate::validate::met::Met;

/// Longest image of revision 1: a name of 4096 bytes.
pub const MAX_IMAGE_LEN: usize = 4 * RECORD_HEADER_LEN + HEAD_LEN + TASK_LEN + MAX_COMM_LEN + TAIL_LEN;

/// Judges the image at the front of these bytes, of which `is_all` says that no more follow. Returns its length and
/// what `sys_restart` would return: on `kernel`, or on the kernel that the image was made on.
pub fn judge(
    bytes: &[u8],
    is_all: bool,
    kernel: Option<KernelVersion>,
    findings: &mut Findings,
    met: &mut Vec<Met>,
) -> (u64, i64) {
    let mut judge = Judge { bytes, at: 0, room: MAX_COMM_LEN, comm_len: None, is_all, kernel, findings, met };
    let complete =
        [Kind::HEAD, Kind::TASK, Kind::STRING, Kind::TAIL].into_iter().all(|kind| judge.record(kind));
    // Where one ends that cannot be followed, nobody knows: nothing is said to follow it.
    let len = if complete { judge.at } else { bytes.len() } as u64;
    let own = bytes.get(RECORD_HEADER_LEN..RECORD_HEADER_LEN + HEAD_LEN).and_then(Head::from_payload);
    let own = own.map_or(KernelVersion { major: 0, minor: 0, patch: 0 }, |head| head.kernel());
    let verdict = verdict(bytes, kernel.unwrap_or(own));
    if complete && verdict < 0 && findings.errno().is_none() {
        let message = format!("the kernel's reader returns {verdict} for this image");
        findings.push(Fault::new(rules::REV1_KIND, 0, len, message));
    }
    (len, verdict)
}

/// What `sys_restart` of the patch would return.
fn verdict(bytes: &[u8], kernel: KernelVersion) -> i64 {
    let mut restart = Restart::new(kernel);
    let mut left = bytes;
    loop {
        let Some((now, rest)) = left.split_at_checked(restart.wants()) else { return restart.end().1 };
        left = rest;
        if let Step::Done(ret) = restart.feed(now) {
            return ret;
        }
    }
}

struct Judge<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that TASK sets aside for the name.
    room: usize,
    comm_len: Option<i32>,
    is_all: bool,
    kernel: Option<KernelVersion>,
    findings: &'a mut Findings,
    met: &'a mut Vec<Met>,
}

impl Judge<'_> {
    /// Judges the record that is due; false when the image ends here or cannot be followed any further.
    fn record(&mut self, due: Kind) -> bool {
        let at = self.at;
        let rest = self.bytes.get(at..).unwrap_or_default();
        let Some(header) = frame::header(rest) else {
            return self.early_end(due);
        };
        let Ok(len) = usize::try_from(header.len) else {
            let message = format!("the length of {due} is {}", header.len);
            self.fault(&header, 2, 2, rules::REV1_LEN, "len", message.clone());
            self.lose(Fault::new(rules::REV1_LEN, at as u64 + 2, 2, message).of(header.kind, at as u64));
            return false;
        };
        let fits = match due {
            Kind::HEAD => len == HEAD_LEN,
            Kind::TASK => len == TASK_LEN,
            Kind::TAIL => len == TAIL_LEN,
            _ => len <= self.room,
        };
        let has_kind = header.kind == due.0;
        if !has_kind {
            let message = format!("{} stands where {due} is due", Kind(header.kind));
            let rule = if due == Kind::HEAD { rules::HEAD_KIND } else { rules::REV1_KIND };
            self.fault(&header, 0, 2, rule, "kind", message);
        }
        if !fits {
            let message = format!("{due} has {len} bytes of payload, which its structure has not");
            let rule = if due == Kind::HEAD { rules::HEAD_LEN } else { rules::REV1_LEN };
            self.fault(&header, 2, 2, rule, "len", message);
        }
        self.judge_parent(&header, due);
        let payload = rest.get(RECORD_HEADER_LEN..).unwrap_or_default();
        let Some(payload) = payload.get(..len) else {
            return self.early_end(due);
        };
        if fits && has_kind {
            match due {
                Kind::HEAD => self.judge_head(&header, payload),
                Kind::TASK => self.judge_task(&header, payload),
                Kind::STRING => self.judge_string(&header, payload),
                _ if rest
                    .get(RECORD_HEADER_LEN..)
                    .is_some_and(|rest| !rest.starts_with(&tail_record()[8..])) =>
                {
                    self.fault(&header, 8, 8, rules::TAIL, "magic", "the magic of TAIL is wrong".into());
                }
                _ => {}
            }
        }
        self.at += RECORD_HEADER_LEN + len;
        self.met.push(Met::begin(at as u64, rest, false, None).until(self.at as u64));
        true
    }

    /// What stands here cannot be read, nor what follows it.
    fn lose(&mut self, fault: Fault) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let lost = Met::begin(self.at as u64, rest, false, Some(fault));
        self.met.push(lost.until(self.bytes.len() as u64));
    }

    fn judge_parent(&mut self, header: &RecordHeader, due: Kind) {
        let parent = header.parent;
        if parent == 0 {
            return;
        }
        let rule = if due == Kind::HEAD { rules::HEAD_PARENT } else { rules::REV1_PARENT };
        let message = format!("{due} has the parent {parent:#x}");
        let at = self.at as u64;
        let fault = Fault::new(rule, at + 4, 4, message).of(header.kind, at).field("parent");
        let signed = parent.cast_signed();
        if signed < 0 {
            // The patch's reader takes it for an error number.
            let errno = signed.checked_neg().unwrap_or(EINVAL);
            self.findings.push(Fault { errno, ..fault });
        } else if due == Kind::STRING {
            let message =
                format!("{}; the kernel's reader takes it, but leaves the task's name alone", fault.message);
            self.findings.push(Finding::soft(Severity::Warning, Fault { message, ..fault }));
        } else {
            self.findings.push(fault);
        }
    }

    fn judge_head(&mut self, header: &RecordHeader, payload: &[u8]) {
        let Some(head) = Head::from_payload(payload) else { return };
        let no_parent = RecordHeader { parent: 0, ..*header };
        for (offset, fault) in frame::head_faults(&no_parent, &head) {
            self.findings.push(Fault { offset, ..fault });
        }
        if let Some(finding) = head_findings(&head) {
            self.findings.push(finding);
        }
        if let Some(kernel) = self.kernel.filter(|kernel| *kernel != head.kernel()) {
            let message = format!("the image was made on kernel {}, not {kernel}", head.kernel());
            self.fault(header, 16, 6, rules::HEAD_KERNEL, "major", message);
        }
    }

    fn judge_task(&mut self, header: &RecordHeader, payload: &[u8]) {
        let Some(task) = Task::from_payload(payload) else { return };
        let len = task.task_comm_len;
        match usize::try_from(len) {
            Ok(room) if room <= MAX_COMM_LEN => self.room = room,
            _ => {
                let message = format!("task_comm_len is {len}, not 0 to {MAX_COMM_LEN}");
                self.fault(header, 24, 4, rules::REV1_COMM_LEN, "task_comm_len", message);
            }
        }
        self.comm_len = Some(len);
        if task.pad != 0 {
            let at = self.at as u64;
            let fault = Fault::new(rules::FIELD_ZERO, at + 28, 4, "the padding of TASK is not zero");
            self.findings.push(Finding::soft(Severity::Note, fault.of(header.kind, at).field("pad")));
        }
    }

    fn judge_string(&mut self, header: &RecordHeader, payload: &[u8]) {
        let at = self.at as u64;
        let soft = |message: &str| {
            let fault = Fault::new(rules::REV1_COMM_LEN, at + 8, payload.len() as u64, message);
            Finding::soft(Severity::Note, fault.of(header.kind, at).field("string"))
        };
        if payload.len() > TASK_COMM_LEN {
            self.findings.push(soft("the name is longer than 16 bytes, the rest is cut off"));
        } else if !payload.is_empty() && !payload.contains(&0) && payload.len() == TASK_COMM_LEN {
            self.findings.push(soft("the name fills its 16 bytes and has no NUL"));
        }
    }

    fn early_end(&mut self, due: Kind) -> bool {
        let fault = if self.is_all {
            Fault::early_end(self.bytes.len() as u64, &due.to_string()).of(due.0, self.at as u64)
        } else {
            let message = "the image is longer than any of revision 1 can be";
            Fault::new(rules::REV1_LEN, self.at as u64, 0, message)
        };
        self.lose(fault.clone());
        self.findings.push(fault);
        false
    }

    fn fault(
        &mut self,
        header: &RecordHeader,
        at: u64,
        len: u64,
        rule: &'static str,
        field: &'static str,
        message: String,
    ) {
        let record = self.at as u64;
        self.findings.push(Fault::new(rule, record + at, len, message).of(header.kind, record).field(field));
    }
}

/// What is odd about a HEAD, of either revision, that no reader minds.
pub fn head_findings(head: &Head) -> Option<Finding> {
    let release = String::from_utf8_lossy(crate::show::until_nul(&head.release)).into_owned();
    let said = KernelVersion::parse(&release)?;
    if said == head.kernel() {
        return None;
    }
    let message = format!(
        "HEAD says kernel {}, its release says {}",
        head.kernel(),
        crate::show::escape(release.as_bytes())
    );
    let fault = Fault::new(rules::HEAD_RELEASE, 16, 6, message).of(Kind::HEAD.0, 0).field("release");
    Some(Finding::soft(Severity::Warning, fault))
}
