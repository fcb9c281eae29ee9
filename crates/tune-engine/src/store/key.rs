//! The key of a state: secret bytes beside it, with which saved plans are sealed. It is made when the state is opened
//! for the first time and is neither part of an export nor of a recording, so whoever holds one of those cannot seal a
//! plan, and cannot guess what a digest stands for.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::StoreError;
use super::export::write_atomically;
use crate::clock::{hexadecimal, random};

/// The file in `.tune`.
const NAME: &str = "key";

/// Secret bytes that belong to one state.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// Shows nothing of it.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Returns the key that these bytes are.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns what tells keys apart and gives nothing of them away.
    pub fn id(&self) -> String {
        self.digest("id", &[]).split_off(48)
    }

    /// Returns the keyed digest of `bytes`, in hexadecimal: without the key nobody can tell what they are, however few
    /// they could be. The same bytes for another `purpose` have another digest.
    pub fn digest(&self, purpose: &str, bytes: &[u8]) -> String {
        hexadecimal(&self.mac(purpose, bytes).finalize().into_bytes())
    }

    /// Returns whether `digest` is the digest of `bytes`, in a time that does not depend on where it differs.
    pub(crate) fn is_digest(&self, digest: &[u8], purpose: &str, bytes: &[u8]) -> bool {
        self.mac(purpose, bytes).verify_slice(digest).is_ok()
    }

    fn mac(&self, purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac
    }
}

/// Returns the key in a state's folder; `None` if there is none, or if what is there is no key.
pub(super) fn read(folder: &Path) -> Result<Option<Key>, StoreError> {
    let path = folder.join(NAME);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(bytes(text.trim_end()).map(Key)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
        Err(source) => Err(StoreError::Io { what: "read", path, source }),
    }
}

/// Makes sure that there is a key; only the holder of the lock may. In the place of a damaged one comes a new one:
/// nothing is lost but plans that were saved with it, which are refused.
pub(super) fn ensure(folder: &Path) -> Result<(), StoreError> {
    if read(folder)?.is_some() {
        return Ok(());
    }
    write_atomically(&folder.join(NAME), format!("{}\n", hexadecimal(&random::<32>())).as_bytes())
}

/// Reads 64 digits, in lower case only: one key has one form.
pub(crate) fn bytes(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        ensure(folder.path()).unwrap();
        let made = read(folder.path()).unwrap().unwrap();
        ensure(folder.path()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(made.clone()));
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(fs::read_to_string(&path).unwrap().trim_end()));
        for damaged in ["", "0", &"0".repeat(63), &"G".repeat(64), "\u{e9}"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(read(folder.path()).unwrap(), None, "{damaged}");
        }
        fs::write(&path, [0xff; 64]).unwrap();
        ensure(folder.path()).unwrap();
        assert!(read(folder.path()).unwrap().is_some_and(|key| key != made));
    }

    #[test]
    fn digests_differ_by_key_by_purpose_and_by_content() {
        let (one, other) = (Key::new([1; 32]), Key::new([2; 32]));
        let digest = one.digest("a", b"x");
        assert_eq!(digest, one.digest("a", b"x"));
        for another in [other.digest("a", b"x"), one.digest("b", b"x"), one.digest("a", b"y"), one.digest("ax", b"")] {
            assert_ne!(digest, another);
        }
        assert!(one.is_digest(&bytes(&digest).unwrap(), "a", b"x"));
        assert!(!one.is_digest(&bytes(&digest).unwrap(), "a", b"y"));
        assert_eq!(one.id().len(), 16);
        assert_ne!(one.id(), other.id());
    }
}
