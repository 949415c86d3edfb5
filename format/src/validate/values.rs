//! Values of single fields, judged by their description.

use crate::error::Fault;
use crate::findings::{Finding, Findings, Severity};
use crate::header::RECORD_HEADER_LEN;
use crate::parser::Record;

use crate::rules;
use crate::schema::{FieldType, Show};
use crate::show::{self, Value};

/// Offset of the fixed part in a record.
const FIXED: usize = RECORD_HEADER_LEN + 8;

/// Judges every field of a record that has a description to be judged by.
pub fn judge(record: &Record, findings: &mut Findings) {
    let def = record.body.def();
    let judged = |show| matches!(show, Show::Zero | Show::Enum(_) | Show::Flags(_) | Show::Signal);
    if !def.fields.iter().any(|field| judged(field.show)) {
        return;
    }
    let fixed = record.body.fixed();
    let mut left = fixed.as_slice();
    let mut at = record.offset + FIXED as u64;
    for field in def.fields {
        let len = field.ty.size();
        let Some((raw, rest)) = left.split_at_checked(len) else { return };
        left = rest;
        if judged(field.show) && !matches!(field.ty, FieldType::Bytes(_)) {
            let value = Value::read(field.ty, raw).unsigned();
            let fault = |rule, message: String| {
                Fault::new(rule, at, len as u64, message).of(def.kind, record.offset).field(field.name)
            };
            match field.show {
                Show::Zero if value != 0 => {
                    let message = format!("{} of {} is {value:#x}, not zero", field.name, def.name);
                    findings.push(fault(rules::FIELD_ZERO, message));
                }
                Show::Signal if value > 64 => {
                    let message = format!("{} of {} is {value}, which is no signal", field.name, def.name);
                    findings.push(fault(rules::FIELD_VALUE, message));
                }
                Show::Enum(names) if show::choice(value, names).is_none() => {
                    let message =
                        format!("{} of {} is {value}, which has no meaning here", field.name, def.name);
                    findings.push(Finding::soft(Severity::Warning, fault(rules::FIELD_VALUE, message)));
                }
                Show::Flags(names) => {
                    let known = names.iter().fold(0, |all, (bit, _)| all | bit);
                    if value & !known != 0 {
                        let bits = value & !known;
                        let message =
                            format!("{} of {} has the unknown bits {bits:#x}", field.name, def.name);
                        findings.push(Finding::soft(Severity::Note, fault(rules::FIELD_VALUE, message)));
                    }
                }
                _ => {}
            }
        }
        at += len as u64;
    }
}
