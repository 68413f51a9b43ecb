//! Which replies each command may have: RFC 959, section 5.4, and what later documents and common use add.

use super::client::Reply;

/// By any command: what it is not, or not now.
const ANY: [u16; 6] = [500, 501, 502, 503, 504, 530];

/// What a transfer may end with, whichever it is. 522: RFC 4217, section 9, by way of RFC 2428.
const MOVED: [u16; 9] = [150, 226, 425, 426, 450, 451, 522, 550, 554];

/// The commands of the plans. 550 behind `STOR`, `STOU`, `RNTO`, `LIST` and `NLST` is no code of RFC 959 for those, but what
/// clients look for; so is 425 behind `PASV`, which has no code for "not now" but 421. 554: RFC 1123, section 4.1.3.4. 553 and
/// 452: names and room.
const TABLE: [(&str, &[u16]); 43] = [
    ("ABOR", &[225, 226]),
    ("ALLO", &[200, 202]),
    ("APPE", &[452, 552, 553]),
    ("AUTH", &[234, 534]),
    ("AVBL", &[213, 451, 550]),
    ("CDUP", &[200, 250, 550, 451]),
    ("CWD", &[250, 550, 451]),
    ("DELE", &[250, 450, 451, 550]),
    ("EPRT", &[200, 522]),
    ("EPSV", &[229, 425, 522]),
    ("FEAT", &[211]),
    ("FROB", &[]),
    ("HASH", &[213, 450, 451, 550, 554]),
    ("HELP", &[211, 214]),
    ("LIST", &[]),
    ("MDTM", &[213, 451, 550]),
    ("MKD", &[257, 451, 452, 550, 553]),
    ("MLSD", &[]),
    ("MLST", &[250, 451, 550]),
    ("MODE", &[200]),
    ("NLST", &[]),
    ("NOOP", &[200]),
    ("OPTS", &[200, 451]),
    ("PASS", &[202, 230, 332]),
    ("PASV", &[227, 425]),
    ("PBSZ", &[200]),
    ("PORT", &[200]),
    ("PROT", &[200, 534, 536]),
    ("PWD", &[257, 550]),
    ("QUIT", &[221]),
    ("RANG", &[350]),
    ("REST", &[350]),
    ("RETR", &[]),
    ("RMD", &[250, 450, 451, 550]),
    ("RNFR", &[350, 450, 451, 550]),
    ("RNTO", &[250, 451, 532, 550, 553]),
    ("SITE", &[200, 202, 451, 550]),
    ("SIZE", &[213, 450, 451, 550]),
    ("STAT", &[211, 212, 213, 450, 451, 550]),
    ("STOR", &[452, 552, 553]),
    ("STOU", &[452, 552, 553]),
    ("SYST", &[215]),
    ("TYPE", &[200]),
];

const MOVES: [&str; 7] = ["APPE", "LIST", "MLSD", "NLST", "RETR", "STOR", "STOU"];

/// Checks that a command may be answered so.
pub(crate) fn check(verb: &str, reply: &Reply) {
    let code = reply.code;
    let row = TABLE.iter().find(|(name, _)| *name == verb);
    let own = match (verb, row) {
        ("USER", _) => &[230, 232, 331, 332][..],
        ("XSHA256", _) => &[250, 450, 451, 550, 554],
        (_, Some((_, codes))) => codes,
        (_, None) => panic!("no row for {verb}"),
    };
    let moved = MOVES.contains(&verb) && MOVED.contains(&code);
    let may = own.contains(&code) || ANY.contains(&code) || moved;
    assert!(may, "{verb} may not be answered so: {reply:?}");
}
