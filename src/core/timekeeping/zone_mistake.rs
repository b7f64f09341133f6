//! A clock that is right in another time zone, told from one that is wrong.

use std::fmt;

use chrono::TimeDelta;

use super::{Fix, Place, TimeKeeping, clean, fixes, length};
use crate::core::time::span_from_seconds;

/// A clock that is off by what lies between two time zones: not wrong, but set by the wrong zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneMistake {
    /// Off by as much as local time is from UTC: one was taken for the other.
    RtcIsLocal {
        /// This machine's clock minus AWS's, without the minutes and seconds that it may be off besides.
        off: TimeDelta,
        /// The time zone's name.
        zone: Option<String>,
    },
    /// Off by whole or half hours.
    WholeHours {
        /// This machine's clock minus AWS's, rounded to half an hour.
        off: TimeDelta,
    },
}

/// Whether `offset` (this machine's clock minus AWS's, ± `uncertainty`) is what lies between two time zones.
///
/// One clock in seven that is wrong by any amount lies within two minutes of a half hour too: the sentences say what it
/// looks like. With an offset that is known no better than to five minutes nothing is said, as every second one would.
pub fn zone_mistake(offset: TimeDelta, uncertainty: TimeDelta, facts: &TimeKeeping) -> Option<ZoneMistake> {
    const HALF_HOUR: i64 = 30 * 60;
    // From Baker Island (UTC-12) to the Line Islands (UTC+14).
    let widest = TimeDelta::hours(26);
    let tolerance = TimeDelta::minutes(2) + uncertainty.clamp(TimeDelta::zero(), TimeDelta::minutes(5));
    if uncertainty > TimeDelta::minutes(5) || offset.abs() < TimeDelta::minutes(25) || offset.abs() > widest + tolerance
    {
        return None;
    }
    let is = |off: TimeDelta| (offset - off).abs() <= tolerance;
    let local = [facts.local_offset, -facts.local_offset];
    if let Some(off) = local.into_iter().find(|off| *off != TimeDelta::zero() && is(*off)) {
        return Some(ZoneMistake::RtcIsLocal { off, zone: facts.zone.clone() });
    }
    let half_hours = (offset.num_seconds() + offset.num_seconds().signum() * HALF_HOUR / 2) / HALF_HOUR;
    let off = span_from_seconds(half_hours * HALF_HOUR);
    is(off).then_some(ZoneMistake::WholeHours { off })
}

impl ZoneMistake {
    /// What to do about it where the clock is off by `offset`, the first thing first.
    pub fn fixes(&self, facts: &TimeKeeping, offset: TimeDelta) -> Vec<Fix> {
        let mut others = fixes(facts, offset);
        match facts.place {
            Place::Container | Place::MacOs => {}
            Place::Wsl1 | Place::Wsl2 => others.push(Fix::advice(
                "See in Windows that the time zone is right: Settings, Time & language, Date & time. If the clock \
                 looked right there with a wrong zone, correct the zone first.",
            )),
            Place::Linux | Place::VirtualMachine(_) => return self.fixes_of_linux(facts, others),
        }
        if facts.place == Place::MacOs {
            others.insert(
                0,
                Fix::command(
                    "See which time zone is set; if it is wrong, correct it before the clock.",
                    "sudo systemsetup -gettimezone",
                ),
            );
        }
        others
    }

    fn fixes_of_linux(&self, facts: &TimeKeeping, mut others: Vec<Fix>) -> Vec<Fix> {
        let timedatectl = facts.has_systemd && facts.has_timedatectl;
        match self {
            Self::RtcIsLocal { .. } if facts.rtc_is_local == Some(true) && timedatectl => {
                others.insert(0, Fix::command(
                    "The hardware clock is read as local time here. If it holds UTC, as it should, have it read so, \
                     and the clock set by it: it jumps. If Windows runs on this machine too and keeps local time in \
                     it, synchronise first (below), and leave out `--adjust-system-clock`.",
                    "sudo timedatectl set-local-rtc 0 --adjust-system-clock",
                ));
            }
            Self::RtcIsLocal { .. } => {
                others.push(Fix::command(
                    "When the clock is right, write it into the hardware clock as UTC, or it is wrong again after the \
                     next start.",
                    if timedatectl { "sudo timedatectl set-local-rtc 0" } else { "sudo hwclock --systohc --utc" },
                ));
                if facts.place == Place::Linux {
                    others.push(Fix::advice(
                        "If Windows runs on this machine too, have it keep UTC in the hardware clock: in the \
                         registry, under HKLM\\SYSTEM\\CurrentControlSet\\Control\\TimeZoneInformation, set the DWORD \
                         RealTimeIsUniversal to 1.",
                    ));
                }
            }
            Self::WholeHours { .. } => {
                let zone = facts.zone.as_deref().map_or_else(String::new, |zone| format!(", {},", clean(zone)));
                let text = format!(
                    "See whether the time zone{zone} is right. If not, set that first and not the clock, which counts \
                     UTC in every zone: `sudo timedatectl set-timezone Area/City`, with a name that `timedatectl \
                     list-timezones` shows."
                );
                others.insert(0, if timedatectl { Fix::command(text, "timedatectl") } else {
                    Fix::command(format!(
                        "See whether the time zone{zone} is right: if not, correct the link /etc/localtime first and \
                         not the clock, which counts UTC in every zone."
                    ), "ls -l /etc/localtime")
                });
            }
        }
        others
    }
}

impl fmt::Display for ZoneMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RtcIsLocal { off, zone } => {
                let zone = zone.as_deref().map_or_else(String::new, |zone| format!(" in {}", clean(zone)));
                write!(
                    f,
                    "the clock is off by exactly {}, as local time{zone} is from UTC: it looks as if ",
                    length(*off)
                )?;
                f.write_str(
                    "one was taken for the other, in the hardware clock (Windows keeps local time there) or by hand",
                )
            }
            Self::WholeHours { off } => write!(
                f,
                "the clock is off by exactly {}: it looks as if it was set with a wrong time zone, or by the time of \
                 another one",
                length(*off)
            ),
        }
    }
}
