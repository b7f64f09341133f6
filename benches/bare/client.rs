//! The least that a companion could be: one round trip on a socket, and what came back goes to stdout.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(request)) = (arguments.next(), arguments.next()) else { return Ok(()) };
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&(request.len() as u32).to_be_bytes())?;
    stream.write_all(request.as_bytes())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    std::io::stdout().write_all(&answer)
}
