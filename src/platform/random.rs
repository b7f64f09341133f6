//! Randomness: for jitter and the like, and for what nobody else may know.

/// Eight bytes that nobody can foretell, or zero where the system has none to give.
#[cfg(target_os = "linux")]
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    // From the initialised pool as much as this comes whole or not at all.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}

/// Eight bytes that nobody can foretell, or zero where the system has none to give.
#[cfg(not(target_os = "linux"))]
pub fn seed() -> u64 {
    use std::io::Read;
    let mut bytes = [0; 8];
    let _ = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    u64::from_ne_bytes(bytes)
}

/// Bytes that nobody can foretell.
///
/// # Errors
/// The system has none to give: what they are for can't be done then.
#[cfg(target_os = "linux")]
pub fn secret<const N: usize>() -> std::io::Result<[u8; N]> {
    let (mut bytes, mut filled) = ([0; N], 0);
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Bytes that nobody can foretell.
///
/// # Errors
/// The system has none to give: what they are for can't be done then.
#[cfg(not(target_os = "linux"))]
pub fn secret<const N: usize>() -> std::io::Result<[u8; N]> {
    use std::io::Read;
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed(), seed());
        assert_ne!(secret::<32>().unwrap(), secret::<32>().unwrap());
    }
}
