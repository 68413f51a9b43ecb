//! Uploads: nothing under the final name before all of it is right.

mod common;

use common::*;
use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, Outcome};
use ftp_store::Options;

#[test]
fn every_size_arrives_whole_at_every_level() {
    for durability in [Durability::None, Durability::Data, Durability::Full] {
        let case = Case::with(Options {
            durability,
            ..Options::default()
        });
        for len in [0, 1, 4096, 1024 * 1024 + 1] {
            let bytes = bytes(len, 7);
            let name = format!("f{len}");
            let size = len as u64;
            assert_eq!(
                case.put(&name, &bytes, CreateOptions::default()),
                Outcome::Committed {
                    size,
                    digest: sha256(&bytes),
                    durability
                }
            );
            assert!(case.read(&name) == bytes);
            assert!(case.get(&name).unwrap() == bytes);
        }
        assert_eq!(case.names("").len(), 4, "no temp file stays");
    }
}
