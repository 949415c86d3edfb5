//! Sessions over images in memory.

use super::{Hunt, Search, Session, Strings};
use crate::needle::Needle;
use crate::proto::{Scope, Space, Within};
use std::path::PathBuf;

fn conformance() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/conformance")
}

pub(super) fn image(name: &str) -> Vec<u8> {
    std::fs::read(conformance().join(name)).expect("a conformance image")
}

fn open(bytes: Vec<u8>) -> Session<Vec<u8>> {
    Session::open(bytes, "an image".into(), None).expect("bytes in memory can be read")
}

#[test]
fn every_conformance_image_gives_the_verdict_of_the_kernel() {
    let cases = std::fs::read(conformance().join("cases.json")).expect("cases.json");
    let cases: serde_json::Value = serde_json::from_slice(&cases).expect("JSON");
    for case in cases.as_array().expect("a list") {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        if text("name").starts_with("syscall-") {
            continue;
        }
        let session =
            Session::open(image(&text("image")), text("name"), Some(text("kernel"))).expect("opens");
        let opened = session.opened().expect("can be shown");
        assert_eq!(Some(opened.verdict.ret), case["ret"].as_i64(), "{}", text("name"));
        let has_error = opened.verdict.findings.iter().any(|finding| finding.severity == "error");
        assert_eq!(has_error, !opened.verdict.valid, "{}", text("name"));
        assert!(opened.verdict.ret == 0 || has_error, "{}: a reason is given", text("name"));
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_can_be_looked_at() {
    let whole = image("valid.img");
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        broken.push(bytes);
    }
    for bytes in broken {
        let mut session = open(bytes);
        let opened = session.opened().expect("can be shown");
        session.rows(0, 100).expect("has rows");
        for finding in opened.verdict.findings {
            let _ = session.reveal(finding.offset);
        }
    }
}

#[test]
fn a_byte_leads_to_its_record_and_field() {
    let mut session = open(image("valid.img"));
    let record = session.reveal(0x108).expect("a record is there");
    assert_eq!((record.name.as_str(), record.offset), ("STRING", 264));
    assert!(record.fields.iter().any(|field| field.name == "kind"));
    assert_eq!(session.rows(0, 10).expect("rows").1, 4);
}

/// All that is found, place by place.
fn hunt(session: &mut Session<Vec<u8>>, mut hunt: Hunt) -> Vec<crate::proto::Hit> {
    let mut all = Vec::new();
    loop {
        let (hits, over) = session.hunt_step(&mut hunt).expect("can be searched");
        all.extend(hits);
        let (done, total) = session.progress(&hunt);
        assert!(done <= total, "{done} of {total}");
        if over {
            return all;
        }
    }
}

fn search(session: &mut Session<Vec<u8>>, text: &str, scope: Scope) -> Vec<crate::proto::Hit> {
    hunt(session, Hunt::Search(Search::new(Needle::exact(text.as_bytes()), Some(text.into()), scope, None)))
}

fn sleep() -> Session<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/sleep.img");
    open(std::fs::read(path).expect("a real image"))
}

#[test]
fn the_file_is_searched_for_bytes() {
    let mut session = open(image("valid.img"));
    let hits = search(&mut session, "worker", Scope::File);
    assert_eq!(hits.iter().map(|hit| (hit.space, hit.at)).collect::<Vec<_>>(), [(Space::File, 272)]);
}

#[test]
fn records_are_searched_by_their_bytes_and_by_what_they_say() {
    let mut session = open(image("valid.img"));
    let hits = search(&mut session, "worker", Scope::Records);
    assert_eq!(
        hits.iter().map(|hit| (hit.at, hit.place.as_str())).collect::<Vec<_>>(),
        [(272, "STRING.string")]
    );
    let mut session = sleep();
    let hits = search(&mut session, "/dev/null", Scope::Records);
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit.space == Space::File));
    // No byte of the image says so: it is what the value means.
    let hits = search(&mut session, "rlimit_nofile", Scope::Records);
    assert!(hits.iter().any(|hit| hit.place == "RLIMIT.resource"), "{hits:?}");
    assert!(!search(&mut session, "thread", Scope::Records).is_empty(), "kinds have names");
}

#[test]
fn strings_of_a_region_are_listed_at_their_addresses_and_agree_with_the_search() {
    let mut session = sleep();
    let task = session.opened().expect("can be shown").tasks.remove(0);
    let map = session.map(task.mm).expect("has memory");
    let stack = map.areas.iter().find(|area| &*area.name == "[stack]").expect("has a stack");
    let space = Space::Memory(task.mm);
    let list = |text: &str| Strings::new(space, stack.start, stack.end - stack.start, 4, text);
    let all = hunt(&mut session, Hunt::Strings(list("")));
    assert!(all.len() > 5, "environment and arguments are strings");
    assert!(
        all.iter().all(|hit| hit.at >= stack.first.expect("is held") && hit.at < stack.end && hit.len >= 4)
    );
    let some = hunt(&mut session, Hunt::Strings(list("SLEEP")));
    assert!(!some.is_empty() && some.len() < all.len(), "whatever the case");
    for hit in &some {
        let (bytes, held) = session.bytes(space, hit.at, hit.len.into()).expect("can be read");
        let from = (hit.at % 4096) as usize;
        assert!(held[0]);
        let text = String::from_utf8_lossy(&bytes[from..from + hit.len as usize]).into_owned();
        assert_eq!(text, hit.around);
        let found = search(&mut session, &text, Scope::Pages);
        assert!(found.iter().any(|other| other.at == hit.at), "{text:?} at {:#x}", hit.at);
    }
}

#[test]
fn areas_tell_what_is_stored_what_is_zero_and_what_comes_from_the_file() {
    let mut session = sleep();
    let task = session.opened().expect("can be shown").tasks.remove(0);
    let map = session.map(task.mm).expect("has memory");
    let mut held = 0;
    for area in &map.areas {
        assert!(area.stored + area.zero + area.from_file <= area.end - area.start, "{area:?}");
        held += area.stored;
        assert_eq!(area.first.is_some(), area.stored > 0, "{area:?}");
        let code = &*area.kind == "file" && &*area.prot == "r-x";
        assert!(!code || area.from_file > 0, "code comes back from its file: {area:?}");
        if let Some(first) = area.first {
            let (_, pages) = session.bytes(Space::Memory(task.mm), first, 1).expect("can be read");
            assert!(pages[0], "{first:#x}");
        }
    }
    assert_eq!(held, session.opened().expect("can be shown").page_bytes);
}

#[test]
fn the_json_is_that_of_the_command_line() {
    let bytes = image("valid.img");
    let session = open(bytes.clone());
    let mut same = Vec::new();
    stasis_format::json::write(&bytes, &mut same).expect("memory takes everything");
    assert_eq!(session.json().expect("JSON"), same);
}

#[test]
fn an_image_compared_with_itself_has_no_change_and_with_another_has_the_field() {
    let mut session = open(image("valid.img"));
    assert!(compare(&mut session, open(image("valid.img"))).changes.is_empty());
    let changes = compare(&mut session, open(image("valid-comm-15.img"))).changes;
    assert_eq!(changes.len(), 1);
    assert!(changes[0].record.starts_with("STRING"));
}

fn compare(session: &mut Session<Vec<u8>>, other: Session<Vec<u8>>) -> crate::proto::Comparison {
    let mut comparing = session.compare(other).expect("compares");
    loop {
        let (before, total) = comparing.progress();
        let is_over = session.compare_step(&mut comparing).expect("compares");
        let (after, _) = comparing.progress();
        assert!(before <= after && after <= total);
        if is_over {
            return comparing.finish();
        }
        assert!(before < after, "every step gets on");
    }
}

/// A shell with a pipeline; two images of it, taken one after the other.
#[path = "../../examples/family/image.rs"]
mod family;

pub(super) fn relatives_bytes() -> Vec<u8> {
    family::family(&family::Scene::default()).expect("memory takes everything")
}

fn relatives(scene: &family::Scene) -> Session<Vec<u8>> {
    open(family::family(scene).expect("memory takes everything"))
}

#[test]
fn processes_are_listed_as_the_tree_that_they_are() {
    let session = relatives(&family::Scene::default());
    let opened = session.opened().expect("can be shown");
    assert!(opened.verdict.valid && opened.verdict.findings.is_empty(), "{:?}", opened.verdict.findings);
    let listed: Vec<_> = opened.tasks.iter().map(|it| (it.depth, it.pid, it.state.as_str())).collect();
    let due = [
        (0, 4200, "running"),
        (1, 4241, "running"),
        (1, 4242, "running"),
        (2, 4251, "running"),
        (2, 4252, "killed by SIGKILL"),
        (1, 4243, "exited with 3"),
        (1, 4244, "stopped by SIGTSTP"),
    ];
    assert_eq!(listed, due);
    assert_eq!(opened.tasks.iter().filter(|task| task.zombie).count(), 2);
}

#[test]
fn a_process_says_what_it_shares_with_whom() {
    let mut session = relatives(&family::Scene::default());
    let tasks = session.opened().expect("can be shown").tasks;
    let mut task = |pid| {
        let id = tasks.iter().find(|task| task.pid == pid).expect("is there").id;
        session.task(id).expect("can be shown")
    };
    let cat = task(4241);
    let fd = |task: &crate::proto::Task, n| {
        task.fds.iter().find(|fd| fd.fd == n).expect("is open").shared.join("; ")
    };
    assert_eq!(fd(&cat, 1), "to 4242 sort fd 0, 4251 sort-helper fd 0");
    assert!(fd(&cat, 0).starts_with("one with fd 2, 4200 bash fd 0, 1, 2"), "{}", fd(&cat, 0));
    assert!(cat.shares.is_empty());
    let sort = task(4242);
    assert_eq!(fd(&sort, 0), "from 4241 cat fd 1");
    assert_eq!(sort.shares, ["memory with 4251 sort-helper", "descriptor table with 4251 sort-helper"]);
    let zombie = task(4243);
    assert!(zombie.fds.is_empty() && zombie.threads.is_empty() && zombie.timers.is_empty());
}

#[test]
fn shared_memory_is_read_searched_and_listed_where_a_process_sees_it() {
    let mut session = relatives(&family::Scene::default());
    let tasks = session.opened().expect("can be shown").tasks;
    for (pid, sees) in [(4241, family::CAT_SEES), (4242, family::SORT_SEES)] {
        let mm = tasks.iter().find(|task| task.pid == pid).expect("is there").mm;
        let map = session.map(mm).expect("has memory");
        let area = map.areas.iter().find(|area| area.start == sees).expect("is mapped");
        assert_eq!((area.first, area.stored, area.zero), (Some(sees + 4096), 4096, 0));
        assert_eq!(area.with.is_some(), area.shared, "{area:?}");
        let (bytes, held) = session.bytes(Space::Memory(mm), sees, 4 * 4096).expect("can be read");
        assert_eq!(held, [false, true, false, false]);
        let from = 4096 + 16;
        assert_eq!(&bytes[from..from + family::NOTE.len()], family::NOTE.as_bytes());
        let strings = Strings::new(Space::Memory(mm), area.start, area.end - area.start, 4, "");
        let listed = hunt(&mut session, Hunt::Strings(strings));
        assert_eq!(listed.iter().map(|hit| hit.around.as_str()).collect::<Vec<_>>(), [family::NOTE]);
    }
    let hits = search(&mut session, family::NOTE, Scope::Pages);
    let [hit] = hits.as_slice() else { panic!("{hits:?}") };
    assert_eq!(hit.at, family::CAT_SEES + 4096 + 16);
    assert!(hit.place.starts_with("4241 cat: zero (deleted)+0x"), "{}", hit.place);
}

/// Two processes with an end each of a pair of sockets.
fn pair() -> Vec<u8> {
    use stasis_format::head::KernelVersion;
    use stasis_format::record::{Fd, File, FileTable, Image, Socket, Task};
    use stasis_format::{Head, Writer};
    let head = Head::new(2, KernelVersion { major: 6, minor: 18, patch: 0 }, 0);
    let mut w = Writer::new(Vec::new(), &head).expect("memory takes everything");
    let image = Image { head_checksum: w.head_checksum(), root: 10, ..Image::default() };
    w.record(0, 0, &image).expect("memory takes everything");
    for (end, peer) in [(1, 2), (2, 1)] {
        let socket = Socket { family: 1, socktype: 1, peer, ..Socket::default() };
        w.record(0, end, &socket).expect("memory takes everything");
        let file = File { kind: 14, flags: 2, object: end, ..File::default() };
        w.record(0, 2 + end, &file).expect("memory takes everything");
    }
    for (n, name) in [(1, b"server"), (2, b"client")] {
        let (id, files) = (10 * n, 10 * n + 1);
        let mut comm = [0; 16];
        comm[..name.len()].copy_from_slice(name);
        let task = Task { pid: 100 * n, files, comm, ..Task::default() };
        w.record(0, id, &task).expect("memory takes everything");
        w.record(id, files, &FileTable { nr_fds: 1 }).expect("memory takes everything");
        let fd = Fd { fd: 6 + n, file: 2 + n, ..Fd::default() };
        w.record(files, 0, &fd).expect("memory takes everything");
    }
    w.finish().expect("memory takes everything").0
}

#[test]
fn a_socket_says_who_has_the_other_end() {
    let mut session = open(pair());
    let said = |task: crate::proto::Task| task.fds[0].shared.clone();
    assert_eq!(said(session.task(10).expect("a process")), ["with 200 client fd 8"]);
    assert_eq!(said(session.task(20).expect("a process")), ["with 100 server fd 7"]);
}

#[test]
fn the_page_says_of_every_descriptor_what_the_records_say_whatever_their_kinds() {
    for mut session in [open(pair()), relatives(&family::Scene::default()), sleep()] {
        let mut all = stasis_format::sharing::Sharing::default();
        let nodes = session.tree.nodes.clone();
        for (node, at) in nodes.iter().zip(0u32..) {
            if let Some(body) = session.body(at).expect("can be read") {
                all.add(node.id, node.parent, &body);
            }
        }
        for task in session.tasks().expect("has processes") {
            let told = session.task(task.id).expect("is there");
            assert_eq!(told.shares, all.parts(task.id));
            for row in &told.fds {
                let record = session.reveal(row.offset).expect("is there");
                let file = record.fields.iter().find(|field| field.name == "file").expect("a description");
                let file = file.text.trim_start_matches('#').parse().expect("a number");
                assert_eq!(row.shared, all.words(task.id, row.fd, file), "fd {} of {}", row.fd, task.pid);
            }
        }
    }
}

#[test]
fn one_address_is_another_place_in_every_process() {
    let mut session = relatives(&family::Scene::default());
    let tasks = session.opened().expect("can be shown").tasks;
    let hits = search(&mut session, "this is the heap of", Scope::Pages);
    let places: Vec<_> = hits.iter().map(|hit| (hit.at, hit.place.as_str())).collect();
    let at = family::HEAP + 16;
    let due = ["4200 bash", "4241 cat", "4242 sort", "4244 vi"].map(|name| format!("{name}: [heap]+0x10"));
    assert_eq!(places, due.iter().map(|place| (at, place.as_str())).collect::<Vec<_>>());
    for (hit, pid) in hits.iter().zip([4200, 4241, 4242, 4244]) {
        let mm = tasks.iter().find(|task| task.pid == pid).expect("is there").mm;
        assert_eq!(hit.space, Space::Memory(mm));
    }
}

#[test]
fn a_search_within_a_process_or_an_area_finds_what_is_seen_there() {
    let mut session = relatives(&family::Scene::default());
    let tasks = session.opened().expect("can be shown").tasks;
    let mm = |pid| tasks.iter().find(|task| task.pid == pid).expect("is there").mm;
    let mut find = |text: &str, mm, start, end| {
        let needle = Needle::exact(text.as_bytes());
        let search = Search::new(needle, None, Scope::Pages, Some(Within { mm, start, end }));
        let hits = hunt(&mut session, Hunt::Search(search));
        hits.iter().map(|hit| (hit.space, hit.at)).collect::<Vec<_>>()
    };
    let (cat, sort) = (mm(4241), mm(4242));
    let heap = (Space::Memory(sort), family::HEAP + 16);
    assert_eq!(find("this is the heap of", sort, 0, u64::MAX), [heap]);
    assert_eq!(find("this is the heap of", sort, family::HEAP + 4096, u64::MAX), []);
    let note = |mm, sees| (Space::Memory(mm), sees + 4096 + 16);
    assert_eq!(find(family::NOTE, sort, 0, u64::MAX), [note(sort, family::SORT_SEES)], "where sort sees it");
    assert_eq!(find(family::NOTE, cat, 0, u64::MAX), [note(cat, family::CAT_SEES)]);
}

#[test]
fn trees_are_compared_process_by_process_whatever_the_numbers_of_objects() {
    let mut session = relatives(&family::Scene::default());
    let later = || relatives(&family::Scene { lines: 8, has_editor: true });
    let comparison = compare(&mut session, later());
    assert!(
        comparison
            .changes
            .iter()
            .all(|change| change.record.starts_with("TASK pid 4299") || change.record == "IMAGE"),
        "{:#?}",
        comparison.changes
    );
    assert!(comparison.changes.iter().any(|change| change.what == "new" && change.record == "TASK pid 4299"));
    let [area] = comparison.areas.as_slice() else { panic!("{:?}", comparison.areas) };
    assert_eq!((area.label.as_str(), area.pages, area.first), ("4242 sort: rw- [heap]", 1, family::HEAP));
    let back = compare(&mut later(), relatives(&family::Scene::default()));
    assert!(back.changes.iter().any(|change| change.what == "gone" && change.record == "TASK pid 4299"));
}

#[test]
fn a_record_says_who_has_it_and_which_task_it_belongs_to() {
    let mut session = relatives(&family::Scene::default());
    let find = |session: &mut Session<Vec<u8>>, words: &str| {
        let at = (0..session.tree.nodes.len() as u32)
            .find(|at| session.summary(*at).is_ok_and(|summary| summary.contains(words)))
            .and_then(|at| session.offset_of(at))
            .expect("is there");
        session.reveal(at).expect("can be shown")
    };
    let pipe = find(&mut session, "PIPE");
    assert_eq!(pipe.holders, ["4241 cat fd 1, 4242 sort fd 0, 4251 sort-helper fd 0"]);
    assert_eq!(pipe.task, None);
    let shared = find(&mut session, "/dev/zero");
    assert_eq!(shared.holders, ["mapped by 4241 cat, 4242 sort, 4251 sort-helper"]);
    let zombie = find(&mut session, "4243 grep");
    let (name, text) = zombie
        .fields
        .iter()
        .find(|field| field.name == "exit_code")
        .map(|field| (&field.name, &field.text))
        .expect("has one");
    assert_eq!((name.as_str(), text.as_str()), ("exit_code", "0x300 (exited with 3)"));
    let thread = find(&mut session, "tid 4242");
    let tasks = session.opened().expect("can be shown").tasks;
    assert_eq!(thread.task, tasks.iter().find(|task| task.pid == 4242).map(|task| task.id));
}

#[test]
fn the_state_of_a_task_of_revision_1_is_the_kernels() {
    let mut session = open(image("valid.img"));
    let task = session.reveal(240).expect("a record is there");
    let state = |task: &crate::proto::Record| {
        task.fields.iter().find(|field| field.name == "state").map(|field| field.text.clone())
    };
    assert_eq!((task.name.as_str(), state(&task).as_deref()), ("TASK", Some("RUNNING")));
    let mut bytes = image("valid.img");
    // TASK_UNINTERRUPTIBLE, where revision 2 has a zombie.
    bytes[task.offset as usize + 8] = 2;
    let task = open(bytes).reveal(240).expect("a record is there");
    assert_eq!(state(&task).as_deref(), Some("UNINTERRUPTIBLE"));
}

#[test]
fn a_file_that_is_no_image_is_called_what_it_looks_like() {
    let opened =
        open(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0".to_vec()).opened().expect("can be shown");
    assert_eq!(opened.looks_like.as_deref(), Some("an ELF core dump"));
}

#[test]
fn an_image_opened_by_its_index_gets_the_same_verdict_in_steps() {
    let whole = family::family(&family::Scene::default()).expect("memory takes everything");
    let mut broken = whole.clone();
    let extent =
        open(whole.clone()).tree.nodes.iter().rfind(|node| node.kind == 204).expect("has extents").offset;
    broken[extent as usize + 40] ^= 1;
    for (bytes, is_valid) in [(whole, true), (broken, false)] {
        let at_once = open(bytes.clone());
        let mut session = Session::open_with(bytes, "an image".into(), None, 0).expect("has an index");
        let first = session.opened().expect("can be shown");
        assert!(first.verdict.pending && first.verdict.findings.is_empty());
        assert_eq!(first.tasks, at_once.opened().expect("can be shown").tasks);
        let mut check = session.check().expect("is to be judged");
        assert!(!session.check_ahead(&check).is_empty());
        while let Some((next, done, total)) = session.check_step(check).expect("can be read") {
            assert!(done <= total);
            check = next;
        }
        let verdict = session.verdict();
        let mut due = at_once.verdict();
        // Contents were not read here.
        due.findings.retain(|finding| finding.rule != "extent-checksum");
        assert_eq!((verdict.pending, verdict.valid), (false, is_valid));
        assert_eq!((verdict.ret, &verdict.findings), (due.ret, &due.findings));
        assert!(session.check().is_none(), "once is enough");
    }
    let none = Session::open_with(image("valid.img"), "an image".into(), None, 0).expect("can be read");
    assert!(!none.verdict().pending, "what has no index is judged at once");
}

#[test]
fn what_is_no_version_of_a_kernel_is_told_of() {
    let mut session = open(image("valid.img"));
    let before = session.verdict();
    assert!(session.judge(Some("tomorrow's".into())).expect_err("is no version").contains("6.18.44"));
    assert_eq!(session.verdict(), before);
    assert_eq!(session.judge(Some("6.1.0".into())).expect("is one").ret, -22);
}

#[test]
fn what_is_copied_from_somewhere_is_understood_and_asked_for_only_where_it_has_to_be() {
    use crate::proto::{Here, Target};
    let mut session = relatives(&family::Scene::default());
    let tasks = session.tasks().expect("has processes");
    let task = |pid| tasks.iter().find(|task| task.pid == pid).expect("is there").clone();
    let cat = task(4241);
    let file = Here { len: session.len(), cursor: 0x40, task: cat.id, ..Here::default() };
    let mut go = |text: &str, here: &Here| session.readings(text, here).expect("can be read");
    let first = |readings: &crate::proto::Readings| readings.list.first().map(|it| it.target);

    let heap = go(&format!("{:#x}", family::HEAP + 16), &file);
    assert!(heap.ask, "every process has one there");
    assert_eq!(heap.list.len(), 4);
    assert_eq!(heap.list[0].words, "0x50000010 of 4241 cat: [heap]+0x10", "the chosen process comes first");
    let memory = Here { space: Space::Memory(cat.mm), start: family::HEAP, len: 0x4000, ..file.clone() };
    let heap = go(&format!("{:x}", family::HEAP + 16), &memory);
    assert!(!heap.ask, "one is looked at");
    assert_eq!(first(&heap), Some(Target::Memory { mm: cat.mm, address: family::HEAP + 16 }));

    let own = go(&format!("{:x}", family::SORT_SEES), &file);
    assert_eq!((own.ask, own.list.len()), (false, 1));
    assert_eq!(first(&go("coreutils+0x123", &file)), Some(Target::Memory { mm: cat.mm, address: 0x40_0123 }));
    assert_eq!(first(&go("4242", &file)), Some(Target::Record(task(4242).offset)), "a PID comes first");
    assert!(go("4242", &file).list[0].words.contains("process 4242 sort"));
    assert_eq!(first(&go("ff0", &file)), Some(Target::Offset(0xff0)));
    assert_eq!(first(&go("264t", &file)), Some(Target::Offset(264)));
    assert_eq!(first(&go("+0x10", &file)), Some(Target::Offset(0x50)));
    assert_eq!(first(&go("end", &file)), Some(Target::Offset(file.len - 1)));
    let fd = go("fd 1", &file);
    assert_eq!(fd.list[0].words, "fd 1 of 4241 cat, PIPE #3: 0 B of 64.0 KiB in it");
    let same = go("4241 cat fd 1", &Here { task: 0, ..file.clone() });
    assert_eq!(first(&same), first(&fd), "as the page names it elsewhere");
    assert_eq!(first(&go("#10", &file)), Some(Target::Record(task(4200).offset)));
    for (text, wrong) in [
        ("-0x50", "outside"),
        ("fd 77", "no descriptor 77"),
        ("ffffffffffff0000", "nothing is mapped at"),
        ("nowhere.so+0x10", "maps nowhere.so"),
        ("what is this?", "write an address"),
    ] {
        let told = go(text, &file);
        assert!(told.list.is_empty() && told.wrong.as_ref().is_some_and(|it| it.contains(wrong)), "{told:?}");
    }
}
