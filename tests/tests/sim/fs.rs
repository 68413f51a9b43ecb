//! Files and folders in memory: what the disk does to them, and the same again as the reference.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ftp_proto::session::{CreateOptions, FaultKind, Meta};
use ftp_proto::{Digest, IfExists, Kind, VPath};
use sha2::{Digest as _, Sha256};

/// A file's content; an open file keeps it after it lost its name.
#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) bytes: RefCell<Vec<u8>>,
    pub(crate) mtime: i64,
    pub(crate) version: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Dir,
    File(Rc<Inode>),
}

#[derive(Debug, Default)]
pub(crate) struct Fs {
    nodes: BTreeMap<String, Node>,
    versions: u64,
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

impl Inode {
    pub(crate) fn meta(&self) -> Meta {
        let size = self.bytes.borrow().len() as u64;
        Meta {
            kind: Kind::File,
            size,
            mtime: self.mtime,
            mtime_ns: 0,
            mode: 0o644,
            etag: format!("{}-{size}", self.version),
        }
    }
}

impl Node {
    pub(crate) fn meta(&self) -> Meta {
        match self {
            Self::File(inode) => inode.meta(),
            Self::Dir => Meta {
                kind: Kind::Dir,
                size: 0,
                mtime: 0,
                mtime_ns: 0,
                mode: 0o755,
                etag: "dir".into(),
            },
        }
    }
}

impl Fs {
    /// Every file with its content, for comparison.
    pub(crate) fn contents(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let content = |node: &Node| match node {
            Node::Dir => None,
            Node::File(inode) => Some(inode.bytes.borrow().clone()),
        };
        let nodes = self.nodes.iter();
        nodes
            .map(|(name, node)| (name.clone(), content(node)))
            .collect()
    }

    pub(crate) fn files(&self) -> Vec<Rc<Inode>> {
        let file = |node: &Node| match node {
            Node::Dir => None,
            Node::File(inode) => Some(Rc::clone(inode)),
        };
        self.nodes.values().filter_map(file).collect()
    }

    pub(crate) fn stat(&self, path: &VPath) -> Result<Node, FaultKind> {
        if path.is_root() {
            return Ok(Node::Dir);
        }
        self.check_parents(path)?;
        let node = self.nodes.get(path.as_str());
        node.cloned().ok_or(FaultKind::NotFound)
    }

    pub(crate) fn open(&self, path: &VPath) -> Result<Rc<Inode>, FaultKind> {
        match self.stat(path)? {
            Node::Dir => Err(FaultKind::IsADirectory),
            Node::File(inode) => Ok(inode),
        }
    }

    /// The names in a folder, sorted.
    pub(crate) fn list(&self, path: &VPath) -> Result<Vec<(String, Meta)>, FaultKind> {
        if let Node::File(_) = self.stat(path)? {
            return Err(FaultKind::NotADirectory);
        }
        let inside = |(name, node): (&String, &Node)| {
            let rest = match path.as_str() {
                "" => name.as_str(),
                dir => name.strip_prefix(dir)?.strip_prefix('/')?,
            };
            (!rest.contains('/')).then(|| (rest.to_owned(), node.meta()))
        };
        let mut names: Vec<_> = self.nodes.iter().filter_map(inside).collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    /// Whether an upload may replace what stands at `path`; `false`: it is to be kept.
    pub(crate) fn may_put(&self, path: &VPath, options: &CreateOptions) -> Result<bool, FaultKind> {
        if path.is_root() {
            return Err(FaultKind::IsADirectory);
        }
        match self.check_parents(path) {
            Err(FaultKind::NotFound) if options.parents => return Ok(true),
            other => other?,
        }
        match self.nodes.get(path.as_str()) {
            None => Ok(true),
            Some(Node::Dir) => Err(FaultKind::IsADirectory),
            Some(Node::File(old)) => match options.if_exists {
                IfExists::Replace => Ok(true),
                IfExists::Fail => Err(FaultKind::Exists),
                IfExists::Skip => Ok(false),
                IfExists::Newer => Ok(options.mtime.is_some_and(|new| new.0 > old.mtime)),
            },
        }
    }

    /// Puts a file under its name; `false`: the old one was kept.
    pub(crate) fn put(
        &mut self,
        path: &VPath,
        bytes: Vec<u8>,
        options: &CreateOptions,
    ) -> Result<bool, FaultKind> {
        if !self.may_put(path, options)? {
            return Ok(false);
        }
        for dir in ancestors(path) {
            self.nodes.entry(dir).or_insert(Node::Dir);
        }
        self.versions += 1;
        let inode = Inode {
            bytes: RefCell::new(bytes),
            mtime: options.mtime.map_or(0, |time| time.0),
            version: self.versions,
        };
        let file = Node::File(Rc::new(inode));
        self.nodes.insert(path.as_str().to_owned(), file);
        Ok(true)
    }

    /// Undoes a `put`, if what it put still stands there.
    pub(crate) fn put_back(&mut self, path: &VPath, new: &Rc<Inode>, old: Option<Node>) {
        let name = path.as_str();
        let same = |node: &Node| matches!(node, Node::File(inode) if Rc::ptr_eq(inode, new));
        if self.nodes.get(name).is_some_and(same) {
            match old {
                Some(old) => self.nodes.insert(name.to_owned(), old),
                None => self.nodes.remove(name),
            };
        }
    }

    pub(crate) fn make_dir(&mut self, path: &VPath, parents: bool) -> Result<(), FaultKind> {
        match self.check_parents(path) {
            Err(FaultKind::NotFound) if parents => {
                for dir in ancestors(path) {
                    self.nodes.entry(dir).or_insert(Node::Dir);
                }
            }
            other => other?,
        }
        match self.stat(path) {
            Ok(Node::Dir) if parents => Ok(()),
            Ok(_) => Err(FaultKind::Exists),
            Err(FaultKind::NotFound) => {
                self.nodes.insert(path.as_str().to_owned(), Node::Dir);
                Ok(())
            }
            Err(kind) => Err(kind),
        }
    }

    pub(crate) fn rename(
        &mut self,
        from: &VPath,
        to: &VPath,
        replace: bool,
    ) -> Result<(), FaultKind> {
        if from.is_root() || to.is_root() {
            return Err(FaultKind::Denied);
        }
        let moved = self.stat(from)?;
        self.check_parents(to)?;
        if beneath(to.as_str(), from.as_str()) {
            return Err(FaultKind::Denied);
        }
        match (self.nodes.get(to.as_str()), &moved) {
            (Some(_), _) if !replace => return Err(FaultKind::Exists),
            (Some(Node::Dir), Node::File(_)) => return Err(FaultKind::IsADirectory),
            (Some(Node::File(_)), Node::Dir) => return Err(FaultKind::NotADirectory),
            (Some(Node::Dir), Node::Dir) if from != to && self.has_children(to) => {
                return Err(FaultKind::NotEmpty);
            }
            (Some(_) | None, _) => {}
        }
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in names.iter().filter(|name| beneath(name, from.as_str())) {
            let node = self.nodes.remove(name).unwrap();
            let rest = &name[from.as_str().len()..];
            self.nodes.insert(format!("{}{rest}", to.as_str()), node);
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &VPath, recursive: bool) -> Result<(), FaultKind> {
        if path.is_root() {
            return Err(FaultKind::Denied);
        }
        self.stat(path)?;
        if !recursive && self.has_children(path) {
            return Err(FaultKind::NotEmpty);
        }
        self.nodes.retain(|name, _| !beneath(name, path.as_str()));
        Ok(())
    }

    fn has_children(&self, path: &VPath) -> bool {
        let own = path.as_str();
        self.nodes
            .keys()
            .any(|name| name != own && beneath(name, own))
    }

    fn check_parents(&self, path: &VPath) -> Result<(), FaultKind> {
        for dir in ancestors(path) {
            match self.nodes.get(&dir) {
                None => return Err(FaultKind::NotFound),
                Some(Node::File(_)) => return Err(FaultKind::NotADirectory),
                Some(Node::Dir) => {}
            }
        }
        Ok(())
    }
}

/// The folders that lead to a path, from the top, without the root.
fn ancestors(path: &VPath) -> Vec<String> {
    let text = path.as_str();
    text.match_indices('/')
        .map(|(at, _)| text[..at].to_owned())
        .collect()
}

/// Whether `name` is `dir` or lies in it.
fn beneath(name: &str, dir: &str) -> bool {
    name.strip_prefix(dir)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
