//! System calls: a seccomp filter (seccomp(2)) lets through those of the table, and answers all others as a kernel does that does not know
//! them (`ENOSYS`).
//!
//! A refusal kills nothing: the server's sessions do not pay for a call of one of its libraries that nobody foresaw, and whoever
//! made it reports it or goes another way. `ENOSYS` and not `EPERM`, because that is what libraries have another way for: clone3(2), whose
//! flags lie in memory where no filter sees them, becomes clone(2), whose flags are looked at. What an attacker would call is
//! refused as well by one word as by the other. Only calls of another architecture (32 bits) end the process.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::table::{When, rows};

/// Bits of a socket's type that say what it is; the others say how it is opened (socket(2)).
const SOCKET_TYPE: u64 = 0xf;
/// A thread or process, by its number (setpriority(2)). C libraries do not agree on its type.
const PRIO_PROCESS: u64 = 0;

/// Lets this thread, and those it starts, make the calls of the table alone. Sets `no_new_privs` too.
///
/// # Errors
/// If this kernel has no seccomp, or does not let us use it.
pub(super) fn restrict() -> Result<String, String> {
    let program = program().map_err(|why| format!("system calls are not held: {why}"))?;
    seccompiler::apply_filter(&program)
        .map_err(|error| format!("system calls are not held: {error}"))?;
    let calls: usize = rows().map(|(calls, ..)| calls.len()).sum();
    Ok(format!("{calls} system calls (seccomp)"))
}

fn program() -> Result<BpfProgram, BackendError> {
    let arch: TargetArch = ARCH.try_into()?;
    let mut rules = BTreeMap::new();
    for (calls, when, _) in rows() {
        for call in *calls {
            rules.insert(*call, rules_of(when)?);
        }
    }
    let refusal = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(rules, refusal, SeccompAction::Allow, arch)?.try_into()
}

/// One of these must hold; none stands for always.
fn rules_of(when: &When) -> Result<Vec<SeccompRule>, BackendError> {
    let int = |argument, value| SeccompCondition::new(argument, Len::Dword, Op::Eq, value);
    let bits = |argument, mask, value| {
        SeccompCondition::new(argument, Len::Qword, Op::MaskedEq(mask), value)
    };
    let one = |condition| Ok(vec![SeccompRule::new(vec![condition])?]);
    match when {
        When::Always => Ok(Vec::new()),
        // A pointer: all its bits count.
        When::Is(argument, [0]) => one(bits(*argument, u64::MAX, 0)?),
        When::Is(argument, values) => {
            let rules = values
                .iter()
                .map(|value| SeccompRule::new(vec![int(*argument, u64::from(*value))?]));
            rules.collect()
        }
        When::Has(argument, mask) => one(bits(*argument, *mask, *mask)?),
        When::Lacks(argument, mask) => one(bits(*argument, *mask, 0)?),
        When::Own => one(int(0, u64::from(process::id()))?),
        When::Thread => {
            let thread = vec![int(0, PRIO_PROCESS)?, int(1, 0)?];
            Ok(vec![SeccompRule::new(thread)?])
        }
        When::Stream => {
            let stream = libc::SOCK_STREAM.unsigned_abs().into();
            let rules = [libc::AF_INET, libc::AF_INET6].map(|family| {
                let family = int(0, family.unsigned_abs().into())?;
                SeccompRule::new(vec![family, bits(1, SOCKET_TYPE, stream)?])
            });
            rules.into_iter().collect()
        }
    }
}
