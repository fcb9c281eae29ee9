//! How one record stands in the database: a version, a checksum, and JSON. A flipped bit is noticed, never read as
//! truth.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of everything that is stored; a newer one is refused.
pub(super) const VERSION: u8 = 1;

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Its bytes are not what was written.
    Damaged(&'static str),
    /// A newer program wrote it.
    Newer(u8),
}

/// Returns a record as bytes.
pub(super) fn seal(content: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(content).expect("records have string keys and no failing parts");
    let mut bytes = Vec::with_capacity(json.len() + 5);
    bytes.push(VERSION);
    bytes.extend(checksum(&json).to_be_bytes());
    bytes.extend(json);
    bytes
}

/// Returns the record that the bytes hold.
pub(super) fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unusable> {
    let (version, rest) = bytes.split_first().ok_or(Unusable::Damaged("an empty record"))?;
    let (sum, json) = rest.split_first_chunk::<4>().ok_or(Unusable::Damaged("a record that was cut off"))?;
    if *version != VERSION {
        // The checksum covers the version, so a flipped bit does not pass for a newer program.
        let is_intact = u32::from_be_bytes(*sum) == checksum_of(*version, json);
        return Err(if is_intact { Unusable::Newer(*version) } else { Unusable::Damaged("a record's version") });
    }
    if u32::from_be_bytes(*sum) != checksum(json) {
        return Err(Unusable::Damaged("a record's checksum"));
    }
    serde_json::from_slice(json).map_err(|_| Unusable::Damaged("a record's content"))
}

fn checksum(json: &[u8]) -> u32 {
    checksum_of(VERSION, json)
}

fn checksum_of(version: u8, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[version]);
    hasher.update(json);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = seal(&("vm.swappiness", 60));
        assert_eq!(open::<(String, u32)>(&bytes), Ok(("vm.swappiness".to_owned(), 60)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(open::<(String, u32)>(&flipped), Err(Unusable::Damaged(_))), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(open::<(String, u32)>(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = seal(&1);
        bytes[0] = 9;
        let sum = checksum_of(9, &bytes[5..]);
        bytes[1..5].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(open::<u32>(&bytes), Err(Unusable::Newer(9)));
    }
}
