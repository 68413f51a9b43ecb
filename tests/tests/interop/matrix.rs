//! The matrix command × right × user × path over standard FTP, generated: each command by users who have one right, all but
//! one, or all; inside of their folder, outside of it, and through links. What is expected stands in the table of rows; a
//! command that `HELP` names and no row has fails.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use ftp_access::{Right, Rights};
use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Scratch, Server};

use super::control::Control;

/// Any of these rights.
type Need = &'static [Right];

const LIST: Need = &[Right::List];
const READ: Need = &[Right::Read];
const WRITE: Need = &[Right::Write];
const OVERWRITE: Need = &[Right::Overwrite];
const DELETE: Need = &[Right::Delete];
const RENAME: Need = &[Right::Rename];
const MKDIR: Need = &[Right::Mkdir];
/// What a name stands for is told to who sees names or bytes.
const SEE: Need = &[Right::List, Right::Read];

/// A command, what it needs, and whether it has a data connection. `%` stands for the folder.
struct Row {
    lines: &'static [&'static str],
    needs: &'static [Need],
    data: bool,
}

const fn row(lines: &'static [&'static str], needs: &'static [Need]) -> Row {
    let data = false;
    Row { lines, needs, data }
}

const fn moves(lines: &'static [&'static str], needs: &'static [Need]) -> Row {
    let data = true;
    Row { lines, needs, data }
}

/// Every command that asks for something of the disk, on names that no other row has. The last line of each is judged.
const ROWS: &[Row] = &[
    moves(&["LIST %"], &[LIST]),
    moves(&["NLST %"], &[LIST]),
    moves(&["MLSD %"], &[LIST]),
    moves(&["LIST %read"], &[LIST]),
    moves(&["RETR %read"], &[READ]),
    moves(&["STOR %new"], &[WRITE]),
    moves(&["STOR %over"], &[WRITE, OVERWRITE]),
    moves(&["APPE %fresh"], &[WRITE]),
    moves(&["APPE %over"], &[WRITE, OVERWRITE]),
    moves(&["STOU %unique"], &[WRITE]),
    row(&["HASH %read"], &[READ]),
    row(&["XSHA256 %read"], &[READ]),
    row(&["XCRC %read"], &[READ]),
    row(&["XMD5 %read"], &[READ]),
    row(&["SIZE %read"], &[SEE]),
    row(&["MDTM %read"], &[SEE]),
    row(&["MLST %read"], &[SEE]),
    row(&["STAT %"], &[LIST]),
    row(&["STAT %read"], &[LIST]),
    row(&["CWD %sub"], &[]),
    row(&["CDUP"], &[]),
    row(&["XCWD %sub"], &[]),
    row(&["XCUP"], &[]),
    row(&["AVBL %"], &[WRITE]),
    row(&["MKD %made"], &[MKDIR]),
    row(&["XMKD %made2"], &[MKDIR]),
    row(&["MFMT 20200101000000 %over"], &[OVERWRITE]),
    row(&["MFF UNIX.mode=0600; %over"], &[OVERWRITE]),
    row(&["SITE CHMOD 644 %over"], &[OVERWRITE]),
    row(&["SITE UTIME 20200101000000 %over"], &[OVERWRITE]),
    row(&["RNFR %f"], &[SEE]),
    row(&["RNFR %f", "RNTO %named"], &[SEE, RENAME]),
    row(&["RNFR %g", "RNTO %h"], &[SEE, RENAME, OVERWRITE]),
    row(&["RNFR %sub", "RNTO %bus"], &[RENAME]),
    row(&["DELE %gone"], &[DELETE]),
    row(&["RMD %empty"], &[DELETE]),
    row(&["XRMD %empty2"], &[DELETE]),
];

/// What asks for nothing of the disk.
const FREE: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "AUTH", "CCC", "CLNT", "EPRT", "EPSV", "FEAT", "HELP", "HOST", "LANG",
    "MODE", "NOOP", "OPTS", "PASS", "PASV", "PBSZ", "PORT", "PROT", "PWD", "QUIT", "RANG", "REIN",
    "REST", "STRU", "SYST", "TYPE", "USER", "XPWD",
];

fn has_any(rights: Rights, any: Need) -> bool {
    any.iter().any(|right| rights.has(*right))
}

/// What the rows find.
fn furnish(folder: &Path) {
    for dir in ["sub", "empty", "empty2"] {
        fs::create_dir_all(folder.join(dir)).unwrap();
    }
    for file in ["read", "over", "f", "g", "h", "gone"] {
        fs::write(folder.join(file), format!("old {file}")).unwrap();
    }
}

/// A server with these users.
fn server(home: &Scratch, text: &str) -> Server {
    let file = users::write(home.path(), text);
    super::place::server(&["--durability", "none", "--users", file.to_str().unwrap()])
}

fn log_in(server: &Server, user: &str) -> Control {
    let mut control = Control::open(server);
    control.expect(&format!("USER {user}"), "331");
    control.expect(&format!("PASS {PASSWORD}"), "230");
    control.expect("TYPE I", "200");
    control
}

impl Row {
    /// Gives the command in a folder; the last reply, all of it, and what came over the data connection.
    fn give(&self, control: &mut Control, folder: &str) -> (String, Vec<u8>) {
        let mut data = Vec::new();
        let mut reply = String::new();
        for line in self.lines {
            let line = line.replace('%', folder);
            if !self.data {
                control.say(&line);
                reply = control.lines();
                continue;
            }
            let address = control.passive();
            control.say(&line);
            let stream = TcpStream::connect(address);
            reply = control.lines();
            let (true, Ok(mut stream)) = (reply.starts_with("150"), stream) else {
                continue;
            };
            stream.set_read_timeout(Some(ftp_tests::SOON)).unwrap();
            if line.starts_with("STO") || line.starts_with("APPE") {
                // A refusal may come before all is sent.
                drop(stream.write_all(b"new"));
            } else {
                drop(stream.read_to_end(&mut data));
            }
            drop(stream);
            reply = control.lines();
        }
        (reply, data)
    }

    /// Whether it names anything.
    fn names(&self) -> bool {
        self.lines.last().is_some_and(|line| line.contains('%'))
    }
}

/// Everything beneath a folder: where links lead, what files hold, modes and times of files; without temp files of uploads
/// under way.
fn picture(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let shown = path.display();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with(ftp_proto::path::RESERVED_PREFIX) {
            continue;
        }
        let meta = path.symlink_metadata().unwrap();
        if meta.is_symlink() {
            let to = fs::read_link(&path).unwrap();
            found.insert(format!("{shown} leads to {}", to.display()));
        } else if meta.is_dir() {
            found.insert(format!("{shown} {:o}", meta.mode()));
            found.extend(picture(&path));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let (mode, time) = (meta.mode(), meta.mtime());
            found.insert(format!("{shown} {mode:o} {time} {text}"));
        }
    }
    found
}

/// A server with one user for each set of rights, which hold in the folder `rule` of their roots. Beside these roots lies
/// the folder of somebody else.
struct Place {
    home: Scratch,
    server: Server,
    users: Vec<(String, Rights)>,
}

impl Place {
    fn new(rule: &str) -> Self {
        let home = Scratch::new("ftp-matrix");
        let sets = users::sets().into_iter().enumerate();
        let seats: Vec<_> = sets
            .map(|(at, rights)| (format!("u{at}"), rights))
            .collect();
        let mut text = users::entry("other", &home.join("other"), "preset = \"full\"");
        for (name, rights) in &seats {
            text += &users::entry(name, &home.join(name), &users::rule(rule, *rights));
        }
        let away = home.join("other/in");
        furnish(&away);
        for (name, _) in &seats {
            let root = home.join(name);
            furnish(&root.join("in"));
            furnish(&root.join("inner"));
            for (link, to) in [
                ("in/link", Path::new("../inner")),
                ("in/away", &away),
                ("in/up", Path::new("../../other/in")),
                ("in/file", &away.join("read")),
            ] {
                symlink(to, root.join(link)).unwrap();
            }
        }
        let server = server(&home, &text);
        Self {
            home,
            server,
            users: seats,
        }
    }

    fn look(&self, user: &str) -> [BTreeSet<String>; 2] {
        [user, "other"].map(|name| picture(&self.home.join(name)))
    }

    /// Gives all rows in a folder as a user; `rights` are those that the table asks for.
    fn run(&self, control: &mut Control, user: &str, rights: Rights, folder: &str) {
        for row in ROWS {
            let before = self.look(user);
            let (reply, data) = row.give(control, folder);
            let shown = format!("{rights:?}: {:?} in {folder}: {reply:?}", row.lines);
            if row.needs.iter().all(|any| has_any(rights, any)) {
                assert!(reply.starts_with(['2', '3']), "{shown}");
            } else {
                assert!(reply.starts_with('5'), "{shown}");
                assert!(data.is_empty(), "{shown}: {data:?}");
                assert!(self.look(user) == before, "{shown}");
            }
        }
        control.expect("NOOP", "200");
    }

    /// Gives all rows in a folder where no right helps, and the user's own folder stays as it is, too.
    fn run_in_vain(&self, control: &mut Control, user: &str, folder: &str) {
        let before = self.look(user);
        for row in ROWS.iter().filter(|row| row.names()) {
            let (reply, data) = row.give(control, folder);
            let shown = format!("{user}: {:?} in {folder}: {reply:?}", row.lines);
            assert!(reply.starts_with('5'), "{shown}");
            assert!(data.is_empty(), "{shown}: {data:?}");
        }
        assert!(self.look(user) == before, "{user} in {folder}");
        control.expect("NOOP", "200");
    }
}

#[test]
fn every_command_needs_its_right() {
    let place = Place::new("/");
    for (user, rights) in &place.users {
        let mut control = log_in(&place.server, user);
        // `..` stops at the root; the other's folder is not beneath it, whatever leads there.
        for folder in [
            "/../other/in/",
            "../../other/in/",
            "in/away/",
            "/in/up/",
            "/nowhere/",
            "/etc/",
        ] {
            place.run_in_vain(&mut control, user, folder);
        }
        for folder in ["/in/", "/in/link/"] {
            place.run(&mut control, user, *rights, folder);
        }
    }
}

#[test]
fn a_rule_of_a_folder_holds_there_and_nowhere_else() {
    let place = Place::new("/in");
    for (user, rights) in &place.users {
        let mut control = log_in(&place.server, user);
        // Beside it under a name that begins alike, outside, and through links: they may not lead out of a rule.
        for folder in ["/inner/", "/in/../inner/", "/in/link/", "/in/away/"] {
            place.run_in_vain(&mut control, user, folder);
        }
        place.run(&mut control, user, *rights, "/../in/");
    }
}

/// The row with its last line about another name, in words of its own.
fn about(row: &Row, name: &str) -> Row {
    let line = row.lines.last().unwrap();
    let verb = line.split('%').next().unwrap();
    let line: &'static str = format!("{verb}{name}").leak();
    let lines: &'static [&'static str] = vec![line].leak();
    Row { lines, ..*row }
}

#[test]
fn a_link_to_what_is_anothers_is_a_link_and_no_more() {
    let place = Place::new("/");
    let (user, _) = place.users.last().unwrap();
    let link = place.home.join(user).join("in/file");
    let to = fs::read_link(&link).unwrap();
    let mut control = log_in(&place.server, user);
    for row in ROWS.iter().filter(|row| row.names()) {
        // Where a row put something in the link's place, or took it away.
        let _ = fs::remove_file(&link);
        symlink(&to, &link).unwrap();
        let [before, others] = place.look(user);
        let row = about(row, "in/file");
        let (reply, data) = row.give(&mut control, "");
        let shown = format!("{:?}: {reply:?}: {data:?}", row.lines);
        assert!(data.is_empty(), "{shown}");
        let [after, others_after] = place.look(user);
        assert!(others_after == others, "{shown}");
        // What is done is done to the link; what tells tells nothing.
        let done = reply.starts_with('2');
        let changes = ["STOR", "STOU", "APPE", "DELE"];
        let may = changes.contains(&&row.lines[0][..4]);
        assert!(may || !done, "{shown}");
        assert_eq!(before != after, done, "{shown}");
    }
}

/// Who sees neither names nor bytes hears the same of what is there as of what is not.
#[test]
fn who_may_not_see_learns_no_name() {
    let place = Place::new("/");
    let plain = |reply: String, name: &str| reply.replace(&format!("in/{name}"), "in/NAME");
    let refused = |row: &&Row, rights: Rights| !row.needs.iter().all(|any| has_any(rights, any));
    for (user, rights) in &place.users {
        if has_any(*rights, SEE) {
            continue;
        }
        let mut control = log_in(&place.server, user);
        for row in ROWS.iter().filter(|row| refused(row, *rights)) {
            let line = row.lines[row.lines.len() - 1];
            let name = line.rsplit_once('%').map_or("", |(_, name)| name);
            let uploads = row.data && line.starts_with(['S', 'A']);
            // Whether it is a folder is told to who has any right, for they may have to enter it. And a name that is taken
            // cannot be given: that much is told to who may give names.
            if name.is_empty()
                || name.starts_with("empty")
                || row.lines.len() > 1
                || uploads && rights.has(Right::Write)
            {
                continue;
            }
            let replies = [name, "none"].map(|name| {
                let row = about(row, &format!("in/{name}"));
                let (reply, data) = row.give(&mut control, "");
                assert!(data.is_empty(), "{:?}: {data:?}", row.lines);
                plain(reply, name)
            });
            assert_eq!(replies[0], replies[1], "{rights:?}: {line}");
        }
    }
}

#[test]
fn no_command_is_without_a_row() {
    let server = super::place::server(&[]);
    let mut control = Control::open(&server);
    control.say("HELP");
    let help = control.lines();
    let named = help.lines().filter(|line| line.starts_with(' '));
    let named: BTreeSet<_> = named.flat_map(str::split_whitespace).collect();
    assert!(named.len() > 50, "{help}");
    let verb = |line: &&'static str| line.split(' ').next().unwrap_or_default();
    let rows = ROWS.iter().flat_map(|row| row.lines).map(verb);
    let rows: BTreeSet<_> = rows.chain(FREE.iter().copied()).collect();
    assert_eq!(named, rows, "commands, and rows of the matrix");
}

#[test]
fn what_broke_is_its_owners_alone() {
    let home = Scratch::new("ftp-matrix-partials");
    fs::create_dir(home.join("both")).unwrap();
    let entry = |name| users::entry(name, &home.join("both"), "preset = \"full\"");
    let server = server(&home, &["anna", "bert"].map(entry).concat());
    let (mut anna, mut bert) = (log_in(&server, "anna"), log_in(&server, "bert"));
    anna.break_off("part", b"hers");
    bert.expect("SIZE part", "550");
    bert.expect("REST 4", "350");
    bert.passive();
    bert.expect("STOR part", "5");
    assert_eq!(anna.expect("SIZE part", "213"), "213 4\r\n");
    bert.break_off("part", b"his all");
    assert_eq!(bert.expect("SIZE part", "213"), "213 7\r\n");
    assert_eq!(anna.expect("SIZE part", "213"), "213 4\r\n");
    bert.put("part", b"whole");
    bert.expect("DELE part", "250");
    bert.expect("SIZE part", "550");
    assert_eq!(anna.expect("SIZE part", "213"), "213 4\r\n");
}
