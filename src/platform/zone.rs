//! The local time zone.

use chrono::TimeDelta;

use crate::core::time::span_from_seconds;

#[expect(unsafe_code, reason = "the crate libc does not declare it")]
unsafe extern "C" {
    // SAFETY: POSIX has it without arguments or a result. It reads the environment, which this program never writes.
    /// Reads the zone again where it has changed.
    safe fn tzset();
}

/// Local time minus UTC now, by the zone that the C library knows; nothing where it knows none.
#[expect(unsafe_code, reason = "std has no local time, and chrono's would bring its clock")]
pub fn local_offset() -> TimeDelta {
    // glibc's `localtime_r` alone stays in the zone of the first call: a laptop travels.
    tzset();
    // SAFETY: `time` may be handed a null pointer, and `tm` is plain old data that `localtime_r` fills in.
    let offset = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut local: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut local).is_null() { 0 } else { local.tm_gmtoff }
    };
    span_from_seconds(offset)
}
