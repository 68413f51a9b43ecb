//! `hello`: the versions and bounds of both sides.

use super::Config;
use super::reply;
use crate::wire::{Code, ErrorBody, PeerLimits, ReplyHead, VERSION};

/// The least a client may set as its bound for the payload of a frame.
const CHUNK_MIN: u32 = 4096;
/// What this server can do beyond the plain verbs.
const FEATURES: [&str; 4] = ["range", "resume", "etag", "abort"];

/// Answers a `hello`: the header, and the most payload bytes of a frame to this client.
///
/// # Errors
/// There is no common version, or a bound that cannot be met.
pub(super) fn greet(
    version: u32,
    chunk: Option<u32>,
    config: &Config,
    user: Option<&str>,
) -> Result<(ReplyHead, u32), ErrorBody> {
    if version != VERSION {
        let why = format!("this server speaks version {VERSION}");
        return Err(reply::error(Code::UnsupportedVersion, why));
    }
    let limits = &config.limits;
    let chunk = chunk.unwrap_or(limits.chunk_bytes);
    if chunk < CHUNK_MIN {
        let why = format!("`chunk` is {CHUNK_MIN} or more");
        return Err(reply::error(Code::BadRequest, why));
    }
    let head = ReplyHead {
        version: Some(VERSION),
        server: Some(config.server.clone()),
        features: FEATURES.map(str::to_owned).to_vec(),
        durability: Some(config.durability),
        read_only: config.read_only,
        limits: Some(PeerLimits {
            header: limits.header_bytes,
            chunk: limits.chunk_bytes,
            pipeline: u32::try_from(limits.pipeline).unwrap_or(u32::MAX),
            ping: limits.ping_bytes,
        }),
        login: config.login.filter(|_| user.is_none()),
        user: user.map(str::to_owned),
        ..ReplyHead::default()
    };
    Ok((head, chunk.min(limits.chunk_bytes)))
}
