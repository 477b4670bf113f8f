//! A set of documents: what a guest reads, as paths and bytes.

/// The form in which an instance's documents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenStack's config drive: the `ec2/` and `openstack/` trees, label `config-2`.
    OpenStack,
    /// cloud-init's NoCloud seed: four files in the root, label `cidata`.
    NoCloud,
}

impl Dialect {
    /// The volume label by which a guest finds a drive of this dialect.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenStack => "config-2",
            Self::NoCloud => "cidata",
        }
    }
}

/// One document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Path from the root of the drive, parts separated by `/`, without a leading slash.
    pub path: String,
    /// The exact bytes that a guest gets.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Document {
    /// Shows the path and the length, never the content: it may be a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Document({:?}, {} bytes)",
            self.path,
            self.content.len()
        )
    }
}

/// Documents in the order in which they are written.
pub type Documents = Vec<Document>;
