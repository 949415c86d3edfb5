//! The state without a browser.

use super::{
    Action, Command, State, Tab, compare, findings, goto, hex, image, memory, places, record, save, search,
    tab, tasks, tree,
};
use crate::proto::{Area, FindingRow, Map, Opened, Process, Record, Reply, Request, Row, Space, Task};
use crate::text::Pattern;

fn opened(size: u64) -> State {
    let mut state = State::default();
    state.reduce(hex::Action::Resized { rows: 30 });
    state.reduce(image::Action::Open { name: "a".into(), kernel: None, url: None });
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
    assert!(state.findings.open);
}

#[test]
fn the_fragment_that_came_with_the_page_is_gone_to_once_an_image_is_open() {
    let mut state = State::default();
    assert!(state.reduce(places::Action::Fragment("#offset=0x108".into())).is_empty());
    state.reduce(image::Action::Open { name: "a".into(), kernel: None, url: None });
    let image = Opened { size: 304, records: 4, ..Opened::default() };
    let commands = state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 0x108 }));
}

#[test]
fn ten_gib_scroll_to_the_last_row_and_a_step_of_the_keyboard_is_one_row() {
    let mut state = opened(10 << 30);
    let height = state.hex.height();
    assert!(height <= 8_000_000.0);
    state.reduce(hex::Action::Scrolled { px: height - 600.0, height: 600.0 });
    assert_eq!(state.hex.top, state.hex.last_top());
    state.reduce(hex::Action::Pick { at: 0x2_7fff_ffff, extend: false });
    assert_eq!(state.hex.cursor, (10 << 30) - 1);
    state.reduce(hex::Action::Move(-16));
    assert_eq!(state.hex.cursor, (10 << 30) - 17);
}

#[test]
fn a_scrollbar_that_we_moved_says_nothing_new() {
    let mut state = opened(10 << 30);
    let commands = state.reduce(hex::Action::Pick { at: 0x1_0000_0000, extend: false });
    let px = commands.iter().find_map(|command| match command {
        Command::ScrollHex(px) => Some(*px),
        _ => None,
    });
    let top = state.hex.top;
    state.reduce(hex::Action::Scrolled { px: px.expect("the view scrolls").round(), height: 600.0 });
    assert_eq!(state.hex.top, top);
}

#[test]
fn a_byte_is_on_its_way_until_its_block_came_and_is_asked_for_once() {
    let mut state = opened(304);
    assert_eq!(state.blocks.byte(Space::File, 3), None);
    assert!(state.reduce(hex::Action::Resized { rows: 30 }).is_empty(), "the block is asked for already");
    let reply = Reply::Bytes { space: Space::File, offset: 0, held: vec![true] };
    state.reduce(Action::Replied(reply, (0..=255).collect()));
    assert_eq!(state.blocks.byte(Space::File, 3), Some(Some(3)));
}

#[test]
fn a_byte_picked_in_another_record_selects_that_record() {
    let mut state = opened(304);
    let record = Record { offset: 0, len: 232, rows: 4, ..Record::default() };
    state.reduce(Action::Replied(Reply::Selected(Box::new(record)), Vec::new()));
    assert!(!asks(&state.reduce(hex::Action::Pick { at: 8, extend: false }), |r| matches!(
        r,
        Request::Reveal { .. }
    )));
    let commands = state.reduce(hex::Action::Pick { at: 240, extend: false });
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 240 }));
    state.reduce(hex::Action::Pick { at: 247, extend: true });
    assert_eq!(state.hex.selection, (240, 248));
}

#[test]
fn the_tree_is_walked_with_the_keyboard() {
    let mut state = opened(304);
    let row = |n: u32| Row { node: n, offset: u64::from(n) * 10, ..Row::default() };
    let reply = Reply::Tree { first: 0, rows: (0..4).map(row).collect(), total: 4 };
    state.reduce(Action::Replied(reply, Vec::new()));
    let commands = state.reduce(tree::Action::Move(1));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 10 }));
    let commands = state.reduce(tree::Action::Move(99));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 30 }));
}

#[test]
fn a_search_asks_for_more_until_it_is_over_or_cancelled() {
    let mut state = opened(304);
    state.reduce(search::Action::Start);
    assert!(state.search.wrong.is_some(), "nothing was typed");
    state.reduce(search::Action::Text("x".into()));
    state.reduce(search::Action::Start);
    let more = Reply::Hits { done: 1, total: 2, hits: Vec::new(), over: false };
    assert!(asks(&state.reduce(Action::Replied(more.clone(), Vec::new())), |r| *r == Request::SearchStep));
    state.reduce(search::Action::Cancel);
    assert!(state.reduce(Action::Replied(more, Vec::new())).is_empty());
}

#[test]
fn tabs_go_round() {
    let mut state = opened(304);
    state.reduce(tab::Action::Move(-1));
    assert_eq!(state.tab, Tab::Compare);
    state.reduce(tab::Action::Move(1));
    assert_eq!(state.tab, Tab::Record);
}

#[test]
fn what_the_worker_cannot_do_is_told_and_a_crash_stays() {
    let mut state = opened(304);
    state.reduce(Action::Replied(Reply::Failed { message: "the file changed".into() }, Vec::new()));
    assert_eq!(state.chrome.error.as_deref(), Some("the file changed"));
    state.reduce(super::chrome::Action::Dismiss);
    assert_eq!(state.chrome.error, None);
    state.reduce(Action::Replied(Reply::Crashed { message: "out of memory".into() }, Vec::new()));
    assert!(state.chrome.crashed.is_some());
}

fn places(commands: &[Command]) -> Vec<(&str, bool)> {
    let place = |command| match command {
        &Command::Address { ref place, push } => Some((place.as_str(), push)),
        _ => None,
    };
    commands.iter().filter_map(place).collect()
}

fn selected(state: &mut State, offset: u64) -> Vec<Command> {
    let record = Record { offset, asked: offset, len: 16, rows: 4, ..Record::default() };
    state.reduce(Action::Replied(Reply::Selected(Box::new(record)), Vec::new()))
}

#[test]
fn back_leads_over_jumps_and_not_over_steps() {
    let mut state = opened(304);
    assert_eq!(places(&selected(&mut state, 0)), [("offset=0x0", false)], "opening is no jump");
    state.reduce(record::Action::GoTo(16));
    assert_eq!(places(&selected(&mut state, 16)), [("offset=0x10", true)]);
    assert_eq!(places(&state.reduce(hex::Action::Move(1))), [("offset=0x11", false)]);
    state.reduce(places::Action::Fragment("#offset=0x0".into()));
    assert_eq!(places(&selected(&mut state, 0)), [("offset=0x0", false)], "coming back is no new place");
}

/// A zombie, a process, and two that share their memory, opened.
fn with_memory() -> State {
    let mut state = opened(304);
    let process = |id, pid, mm| Process { id, pid, mm, offset: 100 * u64::from(id), ..Process::default() };
    let zombie = Process { zombie: true, ..process(9, 49, 0) };
    let tasks = vec![zombie, process(1, 41, 2), process(3, 43, 4), process(5, 45, 4)];
    let image = Opened { size: 304, tasks, ..Opened::default() };
    state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    state
}

fn areas(mm: u32) -> Reply {
    let area = |start, end| Area { start, end, ..Area::default() };
    Reply::Map(Map { mm, whole: true, areas: vec![area(0x1000, 0x9000), area(0x10_0000, 0x4010_0000)] })
}

#[test]
fn an_address_is_shown_before_its_map_is_there_and_within_its_area_afterwards() {
    let mut state = with_memory();
    let commands = state.reduce(places::Action::Fragment("#vaddr=0x20000010".into()));
    assert!(asks(&commands, |request| *request == Request::Map { mm: 2, whole: false }));
    assert_eq!((state.hex.space, state.hex.start, state.hex.len), (Space::Memory(2), 0x2000_0000, 0x4000));
    state.reduce(Action::Replied(areas(2), Vec::new()));
    assert_eq!((state.hex.start, state.hex.len, state.hex.cursor), (0x10_0000, 0x4000_0000, 0x2000_0010));
    let row = (state.hex.cursor - state.hex.start) / super::ROW;
    assert!(row >= state.hex.top && row < state.hex.top + u64::from(state.hex.visible));
}

#[test]
fn areas_are_listed_before_it_is_known_what_the_image_holds_of_them() {
    let mut state = with_memory();
    state.reduce(tab::Action::Show(Tab::Memory));
    let part = |whole, stored| {
        let areas = vec![Area { start: 0x1000, end: 0x9000, stored, ..Area::default() }];
        Action::Replied(Reply::Map(Map { mm: 2, whole, areas }), Vec::new())
    };
    let commands = state.reduce(part(false, 0));
    assert!(asks(&commands, |request| *request == Request::Map { mm: 2, whole: true }));
    assert_eq!(state.memory.listed, [0]);
    state.reduce(memory::Action::Zoom { factor: 4.0, around: 0.5 });
    assert!(state.reduce(part(true, 7)).is_empty());
    assert!(!state.memory.zoom.is_whole(), "what is looked at stays");
    state.reduce(part(false, 0));
    assert_eq!(state.memory.map.as_ref().map(|map| map.areas[0].stored), Some(7), "less is no news");
}

#[test]
fn an_address_of_another_process_chooses_it_and_says_so_in_the_link() {
    let mut state = with_memory();
    let commands = state.reduce(memory::Action::Address { mm: 4, address: 0x1234 });
    assert_eq!(state.tasks.id, 3);
    assert_eq!(places(&commands), [("vaddr=0x1234&pid=43", true)]);
    assert!(asks(&commands, |request| *request == Request::Map { mm: 4, whole: false }));
    state.reduce(places::Action::Fragment("#vaddr=0x1234&mm=2".into()));
    assert_eq!((state.tasks.id, state.hex.space), (1, Space::Memory(2)));
}

#[test]
fn an_address_in_a_link_is_that_of_the_process_named_or_of_the_first_with_memory() {
    let mut state = with_memory();
    for (link, task, space) in [
        ("#vaddr=0x1234", 1, Space::Memory(2)),
        ("#vaddr=0x1234&pid=43", 3, Space::Memory(4)),
        ("#pid=45&vaddr=0x1234", 5, Space::Memory(4)),
        ("#vaddr=0x1234&mm=77", 5, Space::Memory(77)),
    ] {
        state.reduce(places::Action::Fragment(link.into()));
        assert_eq!(
            (state.tasks.id, state.hex.space, state.chrome.error.as_deref()),
            (task, space, None),
            "{link}"
        );
    }
    for link in ["#vaddr=0x1234&pid=49", "#vaddr=0x1234&pid=50"] {
        state.reduce(places::Action::Fragment(link.into()));
        assert!(state.chrome.error.take().is_some_and(|told| told.contains("does not hold")), "{link}");
        assert_eq!(state.hex.space, Space::Memory(77), "the view stays where it was");
    }
    state.reduce(places::Action::Fragment("#vaddr=0x20&pid=41".into()));
    state.reduce(Action::Replied(areas(2), Vec::new()));
    assert_eq!(state.chrome.error.as_deref(), Some("nothing is mapped at 0x20 in the memory of process 41"));
}

#[test]
fn a_process_that_shares_its_memory_stays_chosen() {
    let mut state = with_memory();
    state.reduce(tasks::Action::Choose(5));
    let commands = state.reduce(memory::Action::Address { mm: 4, address: 0x1234 });
    assert_eq!((state.tasks.id, state.owner(4).map(|task| task.pid)), (5, Some(45)));
    assert_eq!(places(&commands), [("vaddr=0x1234&pid=45", true)]);
}

#[test]
fn answers_about_another_process_than_the_chosen_one_are_late() {
    let mut state = with_memory();
    state.reduce(tasks::Action::Choose(1));
    state.reduce(tasks::Action::Choose(3));
    state.reduce(Action::Replied(Reply::Task(Box::new(Task { id: 1, ..Task::default() })), Vec::new()));
    state.reduce(Action::Replied(areas(2), Vec::new()));
    assert!(state.tasks.task.is_none() && state.memory.map.is_none());
    state.reduce(Action::Replied(Reply::Task(Box::new(Task { id: 3, ..Task::default() })), Vec::new()));
    state.reduce(Action::Replied(areas(4), Vec::new()));
    assert!(state.tasks.task.is_some() && state.memory.map.is_some());
}

#[test]
fn a_record_of_a_process_means_that_process() {
    let mut state = with_memory();
    let of = |offset, task| {
        let record = Record { offset, asked: offset, len: 8, task, ..Record::default() };
        Action::Replied(Reply::Selected(Box::new(record)), Vec::new())
    };
    state.reduce(of(310, Some(3)));
    assert_eq!(state.tasks.id, 3);
    state.reduce(tab::Action::Show(Tab::Memory));
    state.reduce(of(110, Some(1)));
    assert_eq!(state.tasks.id, 3, "what one looks at does not change because of a record in passing");
    let commands = state.reduce(of(100, Some(1)));
    assert_eq!(state.tasks.id, 1, "the process itself was picked");
    assert!(asks(&commands, |request| *request == Request::Map { mm: 2, whole: false }));
    state.reduce(of(0, None));
    assert_eq!(state.tasks.id, 1);
}

#[test]
fn a_comparison_tells_how_far_it_is_and_can_be_stopped() {
    let mut state = with_memory();
    state.reduce(compare::Action::With("b".into()));
    let step = |done| Action::Replied(Reply::Comparing { done, total: 100 }, Vec::new());
    assert!(asks(&state.reduce(step(10)), |request| *request == Request::CompareStep));
    assert_eq!(state.compare.running, Some((10, 100)));
    state.reduce(compare::Action::Cancel);
    assert!(state.reduce(step(20)).is_empty(), "nobody asks for more");
    let late = Reply::Compared(crate::proto::Comparison::default());
    state.reduce(Action::Replied(late, Vec::new()));
    assert!(state.compare.result.is_none() && state.compare.running.is_none());
}

#[test]
fn a_region_is_saved_piece_by_piece_until_it_is_whole_or_cancelled() {
    let mut state = with_memory();
    let len = (16 << 20) + 10;
    let commands = state.reduce(save::Action::Area { mm: 2, start: 0x1000, len });
    let piece = |offset, len| Request::Save { space: Space::Memory(2), offset, len };
    assert!(asks(&commands, |request| *request == piece(0x1000, 16 << 20)));
    let reply = |offset| Reply::Piece { space: Space::Memory(2), offset };
    let commands = state.reduce(Action::Replied(reply(0x1000), vec![0; 16 << 20]));
    assert!(asks(&commands, |request| *request == piece(0x1000 + (16 << 20), 10)));
    let commands = state.reduce(Action::Replied(reply(0x1000 + (16 << 20)), vec![0; 10]));
    assert!(matches!(commands.as_slice(), [Command::Keep { first: false, .. }, Command::Deliver(_)]));
    state.reduce(save::Action::Area { mm: 2, start: 0x1000, len });
    state.reduce(save::Action::Cancel);
    assert!(state.reduce(Action::Replied(reply(0x1000), vec![0; 10])).is_empty(), "a late piece is nobody's");
    state.reduce(save::Action::Area { mm: 2, start: 0, len: 5 << 30 });
    assert!(state.chrome.error.is_some() && state.saving.is_none());
}

#[test]
fn strings_are_those_of_what_the_hex_view_shows() {
    let mut state = with_memory();
    state.reduce(Action::Replied(areas(2), Vec::new()));
    let commands =
        state.reduce(search::Action::Strings { space: Space::Memory(2), start: 0x1000, len: 0x8000 });
    let all = |start, len, least, text: &str| Request::Strings {
        space: Space::Memory(2),
        start,
        len,
        least,
        text: text.into(),
    };
    assert!(asks(&commands, |request| *request == all(0x1000, 0x8000, search::LEAST, "")));
    assert_eq!((state.tab, state.search.pattern), (Tab::Search, Pattern::Strings));
    state.reduce(memory::Action::Address { mm: 2, address: 0x10_0000 });
    state.reduce(search::Action::Text("key".into()));
    state.reduce(search::Action::Least("8".into()));
    let commands = state.reduce(search::Action::Start);
    assert!(asks(&commands, |request| *request == all(0x10_0000, 0x4000_0000, 8, "key")));
}

#[test]
fn an_image_opened_by_its_index_is_judged_step_by_step() {
    let mut state = State::default();
    state.reduce(image::Action::Open { name: "a".into(), kernel: None, url: Some("x".into()) });
    let mut image = Opened { size: 304, records: 4, extents: 100, ..Opened::default() };
    image.verdict.pending = true;
    let commands = state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    assert!(asks(&commands, |request| *request == Request::Check));
    assert_eq!(state.image.checking, Some((0, 100)));
    let commands = state.reduce(Action::Replied(Reply::Checking { done: 64, total: 100 }, Vec::new()));
    assert!(asks(&commands, |request| *request == Request::Check));
    let verdict = crate::proto::Verdict { valid: true, ..Default::default() };
    state.reduce(Action::Replied(Reply::Judged(verdict), Vec::new()));
    assert_eq!(state.image.checking, None);
    assert!(state.image.opened.is_some_and(|image| image.verdict.valid));
}

#[test]
fn shift_and_the_arrows_select() {
    let mut state = opened(304);
    state.reduce(hex::Action::Pick { at: 100, extend: false });
    state.reduce(hex::Action::Extend(16));
    assert_eq!((state.hex.selection, state.hex.cursor), ((100, 117), 116));
    state.reduce(hex::Action::Extend(-20));
    assert_eq!((state.hex.selection, state.hex.cursor), ((96, 101), 96));
    state.reduce(hex::Action::Extend(i64::MAX));
    assert_eq!(state.hex.selection, (100, 304));
}

#[test]
fn the_process_tree_is_walked_with_the_keyboard_and_ends_at_its_ends() {
    let mut state = with_memory();
    let mut pid = |by| {
        let commands = state.reduce(tasks::Action::Move(by));
        assert!(commands.iter().any(|command| matches!(command, Command::ShowRow { list: "processes", .. })));
        state.chosen().map(|task| task.pid)
    };
    assert_eq!([i32::MIN, -1, 1, 1, i32::MAX, 1].map(&mut pid), [49, 49, 41, 43, 45, 45].map(Some));
    assert!(State::default().reduce(tasks::Action::Move(1)).is_empty());
}

#[test]
fn the_last_record_is_selected_though_the_page_does_not_have_it() {
    let mut state = opened(304);
    state.reduce(Action::Replied(
        Reply::Tree { first: 0, rows: vec![Row::default(); 80], total: 1000 },
        Vec::new(),
    ));
    let commands = state.reduce(tree::Action::Move(i64::MAX));
    assert!(asks(&commands, |request| *request == Request::RevealRow { row: 999 }));
    let record = Record { row: 999, rows: 1000, offset: 100, asked: 100, len: 8, ..Record::default() };
    let commands = state.reduce(Action::Replied(Reply::Selected(Box::new(record)), Vec::new()));
    assert!(commands.iter().any(|command| matches!(command, Command::ScrollTree(top) if *top > 900)));
    assert!(asks(&commands, |request| matches!(request, Request::Tree { first, .. } if *first > 900)));
}

#[test]
fn a_wish_is_asked_of_the_worker_with_where_one_is_and_the_likeliest_reading_is_taken() {
    use crate::proto::{Here, Reading, Readings, Target};
    let mut state = with_memory();
    state.reduce(memory::Action::Address { mm: 4, address: 0x1234 });
    let commands = state.reduce(goto::Action::Wish("ff0".into()));
    let here = Here { space: Space::Memory(4), cursor: 0x1234, start: 0x1000, len: 0x4000, task: 3 };
    assert!(asks(&commands, |request| *request == Request::GoTo { text: "ff0".into(), here: here.clone() }));
    let reading = |target| Reading { words: "there".into(), target };
    let list = vec![reading(Target::Offset(0x30)), reading(Target::Memory { mm: 2, address: 0x2000 })];
    let readings = Readings { text: "ff0".into(), list, ..Readings::default() };
    let came = |readings: &Readings| Action::Replied(Reply::Readings(readings.clone()), Vec::new());
    let commands = state.reduce(came(&readings));
    assert!(asks(&commands, |request| *request == Request::Reveal { offset: 0x30 }));
    assert_eq!((state.goto.understood.as_deref(), state.goto.open), (Some("there"), false));
    state.reduce(goto::Action::Take(1));
    assert_eq!(state.hex.space, Space::Memory(2), "the other meaning is one press away");

    let commands = state.reduce(came(&Readings { ask: true, ..readings.clone() }));
    assert!(commands.is_empty() && state.goto.open, "which one is for the person to say");
    let wrong = Some("nothing is mapped there".to_owned());
    state.reduce(came(&Readings { wrong, ..Readings::default() }));
    assert!(state.goto.open && state.hex.space == Space::Memory(2), "the view stays where it was");
}

#[test]
fn findings_are_walked_by_key_round_and_round_and_without_those_left_out() {
    let mut state = State::default();
    let finding =
        |severity: &str, offset| FindingRow { severity: severity.into(), offset, ..FindingRow::default() };
    let mut image = Opened { size: 304, records: 4, ..Opened::default() };
    image.verdict.findings = vec![finding("error", 10), finding("note", 20), finding("error", 30)];
    state.reduce(Action::Replied(Reply::Opened(Box::new(image)), Vec::new()));
    let walk = |state: &mut State, by| {
        let commands = state.reduce(findings::Action::Move(by));
        let offset = commands.iter().find_map(|command| match command {
            Command::Ask(Request::Reveal { offset }) => Some(*offset),
            _ => None,
        });
        assert_eq!(Some(state.hex.cursor), offset, "its bytes are selected");
        offset
    };
    assert_eq!([1, 1, 1, 1, -1, -1].map(|by| walk(&mut state, by)), [10, 20, 30, 10, 30, 20].map(Some));
    state.reduce(findings::Action::Toggle(2));
    assert_eq!([1, 1, 1].map(|by| walk(&mut state, by)), [10, 30, 10].map(Some), "without the note");
    assert!(State::default().reduce(findings::Action::Move(1)).is_empty());
}

#[test]
fn what_comes_unasked_waits_for_an_answer_and_two_files_are_compared() {
    let mut state = opened(304);
    state.reduce(super::chrome::Action::Offer("pasted bytes".into()));
    assert!(state.image.opened.is_some() && state.chrome.offered.is_some());
    let commands = state.reduce(super::chrome::Action::Close);
    assert_eq!(commands, [Command::TakeOffer(false)]);
    assert!(state.chrome.offered.is_none());
    state.reduce(image::Action::Open { name: "b".into(), kernel: None, url: None });
    state.reduce(image::Action::Beside);
    let reply = Reply::Opened(Box::new(Opened { name: "b".into(), ..Opened::default() }));
    let commands = state.reduce(Action::Replied(reply.clone(), Vec::new()));
    assert!(commands.contains(&Command::CompareBeside) && commands.contains(&Command::Title("b".into())));
    let commands = state.reduce(Action::Replied(reply, Vec::new()));
    assert!(!commands.contains(&Command::CompareBeside), "once");
}

#[test]
fn what_is_being_opened_tells_how_far_it_is_and_is_called_off_by_opening_something_else() {
    let mut state = State::default();
    state.reduce(Action::Replied(Reply::Ready, Vec::new()));
    let open = |name: &str| image::Action::Open { name: name.into(), kernel: None, url: None };
    assert!(!state.reduce(open("a")).contains(&Command::NewWorker));
    state.reduce(Action::Replied(Reply::Opening { done: 1, total: 9 }, Vec::new()));
    assert_eq!(state.image.read, Some((1, 9)));
    let commands = state.reduce(open("b"));
    assert_eq!(commands.first(), Some(&Command::NewWorker), "the first one hears nothing");
    assert_eq!(
        (state.image.opening.as_deref(), state.image.read, state.chrome.ready),
        (Some("b"), None, false)
    );
    state.reduce(Action::Replied(Reply::Ready, Vec::new()));
    assert_eq!(state.reduce(image::Action::Stop), [Command::NewWorker]);
    assert!(state.image.opening.is_none());
    state.reduce(open("c"));
    state.reduce(Action::Replied(Reply::Opened(Box::default()), Vec::new()));
    assert!(!state.reduce(open("d")).contains(&Command::NewWorker), "nothing was under way");
}
