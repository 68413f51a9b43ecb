//! Whether an answer is right: against itself, and against the reference where nothing else disturbs it.

use std::collections::BTreeSet;

use ftp_proto::Kind;
use ftp_proto::session::FaultKind;
use ftp_proto::wire::{Code, ListEntry};

use super::client::Answered;
use super::plan::{PutReq, Req, Said};
use crate::climate::Climate;
use crate::fs::{Fs, digest};

/// The same codes as the wire's, for what the reference says.
fn code(kind: FaultKind) -> Code {
    let name = format!("{kind:?}");
    let code = [
        (FaultKind::NotFound, Code::NotFound),
        (FaultKind::NotADirectory, Code::NotADirectory),
        (FaultKind::IsADirectory, Code::IsADirectory),
        (FaultKind::NotEmpty, Code::NotEmpty),
        (FaultKind::Exists, Code::Exists),
        (FaultKind::Denied, Code::Denied),
    ];
    let found = code.into_iter().find(|(of, _)| *of == kind);
    found
        .unwrap_or_else(|| panic!("the reference does not say {name}"))
        .1
}

/// Checks an answer and does to the reference what it says was done. Says how it ended.
pub(crate) fn judge(answered: &Answered, reference: &mut Fs, climate: Climate) -> Option<Code> {
    let is = answered.last.error.as_ref().map(|error| error.code);
    check_alone(answered, is, climate);
    let elsewhere = match is {
        Some(Code::Aborted) => {
            answered.asked.aborted || (climate.ends && answered.asked.req.is_put())
        }
        Some(Code::Io | Code::NoSpace) => climate.faults,
        Some(Code::ShuttingDown) => climate.ends,
        Some(Code::Changed | Code::Busy) => climate.shared,
        Some(_) | None => false,
    };
    if elsewhere || climate.shared {
        assert_ne!(is, Some(Code::Internal), "{answered:?}");
        return is;
    }
    if let Req::Put(put) = &answered.asked.req {
        judge_put(put, answered, is, reference);
        return is;
    }
    let expected = expect(answered, reference);
    match (expected, is) {
        (Ok(()), None) => {}
        (Err(expected), Some(is)) if expected == is => {}
        (expected, _) => panic!("expected {expected:?}: {answered:?}"),
    }
    is
}

/// What must hold of an answer whatever else happens.
fn check_alone(answered: &Answered, is: Option<Code>, climate: Climate) {
    let (asked, last) = (&answered.asked, &answered.last);
    if is.is_some() {
        return;
    }
    match &asked.req {
        Req::Ping(bytes) => assert_eq!(&asked.payload, bytes),
        Req::Put(put) if !last.skipped => {
            assert_eq!(last.sha256, Some(digest(&put.bytes)), "{put:?}");
            assert_eq!(last.size, Some(put.bytes.len() as u64));
            assert!(put.digest != Said::Wrong && !put.wrong_size, "{put:?}");
        }
        Req::Get {
            offset,
            digest_from,
            ..
        } => {
            let first = asked.first.as_ref().unwrap();
            assert_eq!(first.length, Some(asked.payload.len() as u64));
            assert_eq!(first.offset, Some(*offset));
            if digest_from == offset && !climate.tampered {
                assert_eq!(last.sha256, Some(digest(&asked.payload)), "{asked:?}");
            }
        }
        Req::Wrong { .. } => panic!("this is refused: {answered:?}"),
        Req::Put(_)
        | Req::Hello { .. }
        | Req::Hash { .. }
        | Req::Stat { .. }
        | Req::List { .. }
        | Req::MakeDir { .. }
        | Req::Rename { .. }
        | Req::Remove { .. } => assert!(last.fin),
    }
}

/// An upload can be wrong in several ways at once, and any of them may be the first to be seen.
fn judge_put(put: &PutReq, answered: &Answered, is: Option<Code>, reference: &mut Fs) {
    let mut reasons = BTreeSet::new();
    match reference.may_put(&put.path, &put.options) {
        Ok(true) => {}
        Ok(false) => {
            reasons.insert("skipped");
        }
        Err(kind) => {
            reasons.insert(code(kind).as_str());
        }
    }
    if put.wrong_size {
        reasons.insert(Code::SizeMismatch.as_str());
    }
    if put.digest == Said::Wrong {
        reasons.insert(Code::DigestMismatch.as_str());
    }
    let said = match is {
        Some(is) => Some(is.as_str()),
        None => answered.last.skipped.then_some("skipped"),
    };
    match said {
        Some(said) => assert!(
            reasons.contains(said),
            "not for one of {reasons:?}: {answered:?}"
        ),
        None => {
            assert!(reasons.is_empty(), "in spite of {reasons:?}: {answered:?}");
            assert_eq!(
                reference.put(&put.path, put.bytes.clone(), &put.options),
                Ok(true)
            );
        }
    }
}

fn range(len: usize, offset: u64, length: Option<u64>) -> Result<std::ops::Range<usize>, Code> {
    let offset = usize::try_from(offset).ok().filter(|offset| *offset <= len);
    let offset = offset.ok_or(Code::BadRange)?;
    let length = length
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(len);
    Ok(offset..offset + length.min(len - offset))
}

/// Compares with the reference, and does to it what was asked.
fn expect(answered: &Answered, reference: &mut Fs) -> Result<(), Code> {
    let (asked, last) = (&answered.asked, &answered.last);
    let ok = last.error.is_none();
    match &asked.req {
        Req::Hello { .. } | Req::Put(_) => Ok(()),
        Req::Ping(bytes) if bytes.len() > 4096 => Err(Code::BadRequest),
        Req::Ping(_) => Ok(()),
        Req::Wrong { code, .. } => Err(*code),
        Req::Get {
            path,
            offset,
            length,
            digest_from,
        } => {
            let inode = reference.open(path).map_err(code)?;
            let bytes = inode.bytes.borrow();
            let range = range(bytes.len(), *offset, *length)?;
            let from = usize::try_from(*digest_from).unwrap();
            if ok {
                assert_eq!(asked.payload, bytes[range.clone()], "{path}");
                assert_eq!(last.sha256, Some(digest(&bytes[from..range.end])));
                assert_eq!(asked.first.as_ref().unwrap().size, Some(bytes.len() as u64));
            }
            Ok(())
        }
        Req::Hash {
            path,
            offset,
            length,
        } => {
            let inode = reference.open(path).map_err(code)?;
            let bytes = inode.bytes.borrow();
            let range = range(bytes.len(), *offset, *length)?;
            if ok {
                assert_eq!(last.length, Some(range.len() as u64));
                assert_eq!(last.sha256, Some(digest(&bytes[range])));
            }
            Ok(())
        }
        Req::Stat { path } => {
            let meta = reference.stat(path).map_err(code)?.meta();
            if ok {
                assert_eq!((last.kind, last.size), (Some(meta.kind), Some(meta.size)));
            }
            Ok(())
        }
        Req::List { .. } => expect_list(answered, reference),
        Req::MakeDir { path, parents } => reference.make_dir(path, *parents).map_err(code),
        Req::Rename { from, to, replace } => reference.rename(from, to, *replace).map_err(code),
        Req::Remove { path, recursive } => reference.remove(path, *recursive).map_err(code),
    }
}

fn expect_list(answered: &Answered, reference: &Fs) -> Result<(), Code> {
    let Req::List {
        path,
        cursor,
        limit,
    } = &answered.asked.req
    else {
        unreachable!("a list");
    };
    let all = reference.list(path).map_err(code)?;
    let after = |name: &str| cursor.as_deref().is_none_or(|cursor| name > cursor);
    let rest: Vec<_> = all.into_iter().filter(|(name, _)| after(name)).collect();
    if answered.last.error.is_some() {
        return Ok(());
    }
    let page: Vec<ListEntry> = serde_json::from_slice(&answered.asked.payload).unwrap();
    let most = limit.map_or(usize::MAX, |limit| limit.max(1) as usize);
    assert!(page.len() <= most, "{answered:?}");
    assert!(!page.is_empty() || rest.is_empty(), "{answered:?}");
    for (entry, (name, meta)) in page.iter().zip(&rest) {
        assert_eq!(
            (&entry.name, entry.kind, entry.size),
            (name, meta.kind, meta.size)
        );
        assert!(matches!(entry.kind, Kind::File | Kind::Dir));
    }
    let more = page.len() < rest.len();
    let last = page.last().map(|entry| entry.name.clone());
    assert_eq!(answered.last.cursor, last.filter(|_| more), "{answered:?}");
    Ok(())
}
