//! The users file as TOML has it: keys and types. What the values mean is the business of [`super::read`].

use serde::Deserialize;
use toml::{Spanned, Value};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    #[serde(default)]
    pub(super) user: Vec<Spanned<Entry>>,
    #[serde(default)]
    pub(super) group: Vec<Spanned<Entry>>,
    pub(super) anonymous: Option<Spanned<Entry>>,
}

/// A user, a group, or the guest: they share most of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    pub(super) name: Option<Spanned<String>>,
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) password: Option<Spanned<String>>,
    pub(super) groups: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) certificates: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) root: Option<Spanned<String>>,
    pub(super) preset: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) rights: Vec<Rule>,
    pub(super) allow_from: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) limits: Limits,
}

/// `[[user.rights]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    pub(super) path: Spanned<String>,
    pub(super) allow: Vec<Spanned<String>>,
}

/// `[user.limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Limits {
    pub(super) connections: Option<Spanned<u32>>,
    pub(super) transfers: Option<Spanned<u32>>,
    pub(super) upload_rate: Option<Spanned<Value>>,
    pub(super) download_rate: Option<Spanned<Value>>,
    pub(super) quota_bytes: Option<Spanned<Value>>,
    pub(super) quota_files: Option<Spanned<u64>>,
}
