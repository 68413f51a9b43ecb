//! `Hash`: an argon2id hash in the PHC string format, and how much work it is.
//!
//! Only what is strong enough and cheap enough is read at all: a weak hash would be broken, an absurd one would
//! let the users file stop the server.

use std::fmt;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use super::Password;

/// Longest hash text, in bytes.
const HASH_BYTES: usize = 512;
/// Least memory of a hash, in KiB: the smallest of OWASP's sets (Password Storage Cheat Sheet).
const MEMORY_KIB_MIN: u32 = 7168;
/// Most memory of a hash, in KiB.
const MEMORY_KIB_MAX: u32 = 262_144;
/// Least memory × passes: OWASP's sets run from 7168 × 5 to 47104 × 1.
const WORK_MIN: u64 = 7168 * 5;
/// Most memory × passes: about two seconds of a processor.
const WORK_MAX: u64 = 4_194_304;
/// Most lanes.
const LANES_MAX: u32 = 16;
/// Least output, in bytes.
const OUTPUT_MIN: usize = 16;
/// Blocks that are asked for at least: glibc gives more than 32 MiB a mapping of its own whatever was freed before, so that the
/// system has it back when it is released (mallopt(3), `M_MMAP_THRESHOLD`). What is not written to costs nothing.
const OWN_MAPPING: usize = 33 << 10;

/// How much work a hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes. They are worked on one after another.
    pub lanes: u32,
}

impl Default for Cost {
    /// OWASP's minimum for argon2id: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

/// What hashing works in. It is large; a worker has one and uses it again and again, as long as there is work.
#[derive(Default)]
pub struct Scratch {
    memory: Vec<Block>,
    computed: u64,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scratch({} KiB)", self.memory.len())
    }
}

/// A hash that can be verified against.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    params: Params,
    salt: Salt,
    output: Output,
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:?})", self.cost())
    }
}

/// Why a text is not taken as a hash, or none can be made. For people; the text itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Nothing is there.
    Empty,
    /// It is not a PHC string.
    NotPhc,
    /// Another algorithm, or another version of it.
    Algorithm,
    /// Salt or output are missing or short.
    Incomplete,
    /// Too little work.
    Weak,
    /// Too much work.
    Heavy,
    /// The system had no memory or no random bytes.
    System(String),
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the hash is empty; set one with `ftp-server user passwd`"),
            Self::NotPhc => {
                f.write_str("not a hash in PHC form (`$argon2id$v=19$m=…,t=…,p=…$…$…`)")
            }
            Self::Algorithm => f.write_str("only argon2id, version 19, is taken"),
            Self::Incomplete => write!(
                f,
                "salt or hash are missing or too short (8 and {OUTPUT_MIN} bytes at least)"
            ),
            Self::Weak => write!(
                f,
                "too cheap to be safe: at least m={MEMORY_KIB_MIN} and m × t = {WORK_MIN}"
            ),
            Self::Heavy => write!(
                f,
                "too expensive: at most m={MEMORY_KIB_MAX}, m × t = {WORK_MAX}, p={LANES_MAX}"
            ),
            Self::System(why) => write!(f, "the system could not make a hash: {why}"),
        }
    }
}

impl std::error::Error for HashError {}

impl Hash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// It is not argon2id, too weak, too heavy, or not whole.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        if text.len() > HASH_BYTES || !text.starts_with('$') {
            return Err(HashError::NotPhc);
        }
        let phc = PasswordHash::new(text).map_err(|_| HashError::NotPhc)?;
        let version = phc.version.map(Version::try_from);
        if phc.algorithm.as_str() != Algorithm::Argon2id.as_str()
            || !matches!(version, Some(Ok(Version::V0x13)))
        {
            return Err(HashError::Algorithm);
        }
        let (Some(salt), Some(output)) = (phc.salt, phc.hash) else {
            return Err(HashError::Incomplete);
        };
        if output.len() < OUTPUT_MIN {
            return Err(HashError::Incomplete);
        }
        let params = Params::try_from(&phc).map_err(|_| HashError::NotPhc)?;
        if !params.keyid().is_empty() || !params.data().is_empty() {
            return Err(HashError::NotPhc);
        }
        check(cost_of(&params))?;
        Ok(Self {
            params,
            salt,
            output,
        })
    }

    /// Hashes a new password, with a salt of the operating system's, into a PHC string.
    ///
    /// # Errors
    /// The cost is out of bounds, or the system had no memory or no random bytes.
    pub fn make(password: &Password, cost: Cost) -> Result<String, HashError> {
        check(cost)?;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|error| HashError::System(error.to_string()))?;
        argon2(params)
            .hash_password(password.bytes())
            .map(|phc| phc.to_string())
            .map_err(|error| HashError::System(error.to_string()))
    }

    /// How much work it is.
    #[must_use]
    pub fn cost(&self) -> Cost {
        cost_of(&self.params)
    }

    /// Whether the password is the one. The time it takes does not depend on the answer.
    #[must_use]
    pub fn verify(&self, password: &Password, scratch: &mut Scratch) -> bool {
        let found = work(
            &self.params,
            self.salt.as_ref(),
            self.output.len(),
            password,
            scratch,
        );
        // `Output` compares in constant time.
        found.is_some_and(|found| found == self.output)
    }
}

/// Does the work of a verification of that cost, for nothing.
pub(crate) fn idle(cost: Cost, password: &Password, scratch: &mut Scratch) {
    let len = Params::DEFAULT_OUTPUT_LEN;
    if let Ok(params) = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(len)) {
        let found = work(&params, b"nobody has this.", len, password, scratch);
        std::hint::black_box(found);
    }
}

fn work(
    params: &Params,
    salt: &[u8],
    len: usize,
    password: &Password,
    scratch: &mut Scratch,
) -> Option<Output> {
    scratch.computed += 1;
    let blocks = scratch.blocks(params.block_count());
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..len)?;
    argon2(params.clone())
        .hash_password_into_with_memory(password.bytes(), salt, out, blocks)
        .ok()?;
    let output = Output::new(out).ok();
    out.zeroize();
    output
}

impl Scratch {
    /// How many hashes were computed in it.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed
    }

    /// Whether it holds memory.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.memory.capacity() > 0
    }

    /// Gives the memory back; the next hash takes it anew.
    pub fn release(&mut self) {
        self.memory = Vec::new();
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.memory.len() < count {
            self.memory.reserve(count.max(OWN_MAPPING));
            self.memory.resize(count, Block::default());
        }
        self.memory.get_mut(..count).unwrap_or_default()
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn cost_of(params: &Params) -> Cost {
    Cost {
        memory_kib: params.m_cost(),
        passes: params.t_cost(),
        lanes: params.p_cost(),
    }
}

fn check(cost: Cost) -> Result<(), HashError> {
    let work = u64::from(cost.memory_kib) * u64::from(cost.passes);
    if cost.memory_kib < MEMORY_KIB_MIN || work < WORK_MIN {
        Err(HashError::Weak)
    } else if cost.memory_kib > MEMORY_KIB_MAX || work > WORK_MAX || cost.lanes > LANES_MAX {
        Err(HashError::Heavy)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn what_was_hashed_verifies_and_nothing_else() {
        let mut scratch = Scratch::default();
        let text = Hash::make(&password("secret"), Cost::default()).unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let hash = Hash::parse(&text).unwrap();
        assert_eq!(hash.cost(), Cost::default());
        assert!(hash.verify(&password("secret"), &mut scratch));
        for wrong in ["", "Secret", "secret ", "secre", "secret\0"] {
            assert!(!hash.verify(&password(wrong), &mut scratch), "{wrong:?}");
        }
        // The same password twice has two hashes, and a dirty scratch changes nothing.
        let again = Hash::make(&password("secret"), Cost::default()).unwrap();
        assert_ne!(text, again);
        assert!(
            Hash::parse(&again)
                .unwrap()
                .verify(&password("secret"), &mut scratch)
        );
        scratch.release();
        assert!(!scratch.is_held());
        assert!(hash.verify(&password("secret"), &mut scratch));
        assert!(scratch.is_held());
        assert!(!format!("{hash:?}").contains("argon2id$"));
    }

    /// The test vector of the reference implementation.
    #[test]
    fn a_hash_of_another_program_is_read() {
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = Hash::parse(text).unwrap();
        assert!(hash.verify(&password("password"), &mut Scratch::default()));
    }

    #[test]
    fn what_is_not_a_strong_argon2id_hash_is_refused() {
        let out = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let phc = |head: &str| format!("{head}$c29tZXNhbHQ${out}");
        for (text, why) in [
            (String::new(), HashError::Empty),
            ("*".into(), HashError::NotPhc),
            ("x".into(), HashError::NotPhc),
            ("plaintext".into(), HashError::NotPhc),
            ("$".into(), HashError::NotPhc),
            (format!("${}", "a".repeat(600)), HashError::NotPhc),
            (phc("$argon2i$v=19$m=65536,t=2,p=1"), HashError::Algorithm),
            (phc("$argon2d$v=19$m=65536,t=2,p=1"), HashError::Algorithm),
            (phc("$argon2id$v=16$m=65536,t=2,p=1"), HashError::Algorithm),
            (phc("$argon2id$m=65536,t=2,p=1"), HashError::Algorithm),
            (phc("$scrypt$ln=16,r=8,p=1"), HashError::Algorithm),
            (phc("$argon2id$v=19$m=8,t=1,p=1"), HashError::Weak),
            (phc("$argon2id$v=19$m=19456,t=1,p=1"), HashError::Weak),
            (phc("$argon2id$v=19$m=4000000,t=1,p=1"), HashError::Heavy),
            (phc("$argon2id$v=19$m=19456,t=4000,p=1"), HashError::Heavy),
            (phc("$argon2id$v=19$m=19456,t=2,p=17"), HashError::Heavy),
            (
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".into(),
                HashError::Incomplete,
            ),
            (
                "$argon2id$v=19$m=65536,t=2,p=1".into(),
                HashError::Incomplete,
            ),
            (
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFQ".into(),
                HashError::Incomplete,
            ),
        ] {
            assert_eq!(Hash::parse(&text), Err(why), "{text}");
        }
        for good in ["m=7168,t=5,p=1", "m=47104,t=1,p=1", "m=12288,t=3,p=1"] {
            assert!(
                Hash::parse(&phc(&format!("$argon2id$v=19${good}"))).is_ok(),
                "{good}"
            );
        }
    }
}
