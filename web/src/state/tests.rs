//! The state without a browser.

use super::{Action, Command, State, Tab};
use crate::proto::{FindingRow, Opened, Record, Reply, Request, Row, Space};

fn opened(size: u64) -> State {
    let mut state = State::default();
    state.reduce(Action::HexResized { rows: 30 });
    state.reduce(Action::Open { name: "a".into(), kernel: None });
    let image = Opened { size, rows: 4, records: 4, ..Opened::default() };
    state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    state
}

fn asks(commands: &[Command], wanted: impl Fn(&Request) -> bool) -> bool {
    commands.iter().any(|command| matches!(command, Command::Ask(request) if wanted(request)))
}

#[test]
fn opening_shows_the_first_error() {
    let mut state = State::default();
    let finding = FindingRow { severity: "error".into(), offset: 240, ..FindingRow::default() };
    let mut image = Opened { size: 304, records: 4, ..Opened::default() };
    image.verdict.findings = vec![finding];
    let commands = state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 240 }));
    assert!(state.findings_open);
}

#[test]
fn the_fragment_that_came_with_the_page_is_gone_to_once_an_image_is_open() {
    let mut state = State::default();
    assert!(state.reduce(Action::Fragment("#offset=0x108".into())).is_empty());
    state.reduce(Action::Open { name: "a".into(), kernel: None });
    let image = Opened { size: 304, records: 4, ..Opened::default() };
    let commands = state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 0x108 }));
}

#[test]
fn ten_gib_scroll_to_the_last_row_and_a_step_of_the_keyboard_is_one_row() {
    let mut state = opened(10 << 30);
    let height = state.hex.height();
    assert!(height <= 8_000_000.0);
    state.reduce(Action::HexScrolled { px: height - 600.0, height: 600.0 });
    assert_eq!(state.hex.top, state.hex.last_top());
    state.reduce(Action::HexJump("0x27fffffff".into()));
    assert_eq!(state.hex.cursor, (10 << 30) - 1);
    state.reduce(Action::HexMove(-16));
    assert_eq!(state.hex.cursor, (10 << 30) - 17);
}

#[test]
fn a_scrollbar_that_we_moved_says_nothing_new() {
    let mut state = opened(10 << 30);
    let commands = state.reduce(Action::HexJump("0x100000000".into()));
    let px = commands.iter().find_map(|command| match command {
        Command::ScrollHex(px) => Some(*px),
        _ => None,
    });
    let top = state.hex.top;
    state.reduce(Action::HexScrolled { px: px.expect("the view scrolls").round(), height: 600.0 });
    assert_eq!(state.hex.top, top);
}

#[test]
fn a_byte_is_on_its_way_until_its_block_came_and_is_asked_for_once() {
    let mut state = opened(304);
    assert_eq!(state.blocks.byte(Space::File, 3), None);
    assert!(state.reduce(Action::HexResized { rows: 30 }).is_empty(), "the block is asked for already");
    let reply = Reply::Bytes { space: Space::File, offset: 0, held: vec![true] };
    state.reduce(Action::Replied(reply, (0..=255).collect()));
    assert_eq!(state.blocks.byte(Space::File, 3), Some(Some(3)));
}

#[test]
fn a_byte_picked_in_another_record_selects_that_record() {
    let mut state = opened(304);
    let record = Record { offset: 0, len: 232, rows: 4, ..Record::default() };
    state.reduce(Action::Replied(Reply::Selected(Box::new(record)), Vec::new()));
    assert!(!asks(&state.reduce(Action::HexPick { at: 8, extend: false }), |r| matches!(
        r,
        Request::Reveal { .. }
    )));
    let commands = state.reduce(Action::HexPick { at: 240, extend: false });
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 240 }));
    state.reduce(Action::HexPick { at: 247, extend: true });
    assert_eq!(state.hex.selection, (240, 248));
}

#[test]
fn the_tree_is_walked_with_the_keyboard() {
    let mut state = opened(304);
    let row = |n: u32| Row { node: n, offset: u64::from(n) * 10, ..Row::default() };
    let reply = Reply::Tree { first: 0, rows: (0..4).map(row).collect(), total: 4 };
    state.reduce(Action::Replied(reply, Vec::new()));
    let commands = state.reduce(Action::TreeMove(1));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 10 }));
    let commands = state.reduce(Action::TreeMove(99));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 30 }));
}

#[test]
fn a_search_asks_for_more_until_it_is_over_or_cancelled() {
    let mut state = opened(304);
    state.reduce(Action::Search);
    assert!(state.search.wrong.is_some(), "nothing was typed");
    state.reduce(Action::SearchText("x".into()));
    state.reduce(Action::Search);
    let more = Reply::Hits { done: 1, total: 2, hits: Vec::new(), over: false };
    assert!(asks(&state.reduce(Action::Replied(more.clone(), Vec::new())), |r| *r == Request::SearchStep));
    state.reduce(Action::SearchCancel);
    assert!(state.reduce(Action::Replied(more, Vec::new())).is_empty());
}

#[test]
fn tabs_go_round() {
    let mut state = opened(304);
    state.reduce(Action::TabMove(-1));
    assert_eq!(state.tab, Tab::Compare);
    state.reduce(Action::TabMove(1));
    assert_eq!(state.tab, Tab::Record);
}

#[test]
fn what_the_worker_cannot_do_is_told_and_a_crash_stays() {
    let mut state = opened(304);
    state.reduce(Action::Replied(Reply::Failed { message: "the file changed".into() }, Vec::new()));
    assert_eq!(state.error.as_deref(), Some("the file changed"));
    state.reduce(Action::Dismiss);
    assert_eq!(state.error, None);
    state.reduce(Action::Replied(Reply::Crashed { message: "out of memory".into() }, Vec::new()));
    assert!(state.crashed.is_some());
}
