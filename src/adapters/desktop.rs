//! Shows a message on the person's desktop, by a program of the system that can: no desktop is no error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::process;
use crate::core::notices::Message;
use crate::platform::environment::Environment;

/// A desktop that takes longer is not there.
const LONGEST: Duration = Duration::from_secs(5);
/// What finds the person's desktop, and speaks their language; nothing else of the daemon's environment is passed on.
const PASSED_ON: &[&str] =
    &["PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "LANG"];
const APP: &str = "evercred";
const SERVICE: &str = "org.freedesktop.Notifications";
const OBJECT: &str = "/org/freedesktop/Notifications";
/// AppleScript that is always the same: the text comes as arguments.
const SCRIPT: [&str; 3] = [
    "on run argv",
    "display notification (item 2 of argv) with title \"evercred\" subtitle (item 1 of argv)",
    "end run",
];

/// A program that can show a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    NotifySend,
    Busctl,
    Gdbus,
    Osascript,
}

/// Shows a message, for as long as the desktop sees fit. What goes wrong is a line for who looks for it.
pub async fn show(message: Message, environment: Environment) {
    show_within(message, environment, LONGEST).await;
}

async fn show_within(message: Message, environment: Environment, limit: Duration) {
    let found = tokio::task::spawn_blocking(move || (find(&environment), environment)).await;
    let Ok((Some((way, program)), environment)) = found else {
        return tracing::debug!("no desktop was found to show a message on");
    };
    let mut command = Command::new(&program);
    let variables = PASSED_ON.iter().filter_map(|name| Some((*name, environment.get(name)?)));
    command.args(way.arguments(&message)).env_clear().envs(variables).current_dir("/");
    match process::run_to_end(command, limit).await {
        Ok(()) => tracing::debug!("a message was shown on the desktop by {}", program.display()),
        Err(why) => tracing::debug!("{} could not show a message on the desktop: {why}", program.display()),
    }
}

/// The program that is there, the friendliest first. On Linux it takes a session bus, on which a desktop may be.
fn find(environment: &Environment) -> Option<(Way, PathBuf)> {
    if cfg!(target_os = "macos") {
        return Some((Way::Osascript, environment.program("/usr/bin/osascript")?));
    }
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let has_bus = set("DBUS_SESSION_BUS_ADDRESS").is_some()
        || set("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(folder).join("bus").exists());
    let ways = [(Way::NotifySend, "notify-send"), (Way::Busctl, "busctl"), (Way::Gdbus, "gdbus")];
    ways.into_iter().filter(|_| has_bus).find_map(|(way, name)| Some((way, environment.program(name)?)))
}

impl Way {
    fn arguments(self, message: &Message) -> Vec<String> {
        let (title, body) = (message.title.as_str(), message.markup());
        // The specification's levels: 0 low, 1 normal, 2 critical.
        let (level, urgency) = if message.is_urgent { ("2", "--urgency=critical") } else { ("1", "--urgency=normal") };
        let method = format!("{SERVICE}.Notify");
        let owned = |arguments: &[&str]| arguments.iter().map(|argument| (*argument).to_owned()).collect();
        match self {
            Self::NotifySend => owned(&["--app-name", APP, urgency, "--", title, &body]),
            Self::Busctl => owned(&[
                "--user",
                "--",
                "call",
                SERVICE,
                OBJECT,
                SERVICE,
                "Notify",
                "susssasa{sv}i",
                APP,
                "0",
                "",
                title,
                &body,
                "0",
                "1",
                "urgency",
                "y",
                level,
                "-1",
            ]),
            Self::Gdbus => owned(&[
                "call",
                "--session",
                "--dest",
                SERVICE,
                "--object-path",
                OBJECT,
                "--method",
                &method,
                "--",
                APP,
                "0",
                "''",
                &quoted(title),
                &quoted(&body),
                "[]",
                &format!("{{'urgency': <byte {level}>}}"),
                "-1",
            ]),
            Self::Osascript => {
                let script = SCRIPT.iter().flat_map(|line| ["-e", *line]);
                script.chain([title, &message.body]).map(str::to_owned).collect()
            }
        }
    }
}

/// A string in GVariant's text form: bare text may be read as something else.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn message(body: &str) -> Message {
        Message { title: "A sign-in is needed".to_owned(), body: body.to_owned(), is_urgent: true }
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// A folder with programs of these names that do what a script says.
    fn programs(names: &[&str], script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            #[expect(clippy::disallowed_methods, reason = "a test's own file")]
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[test]
    fn text_for_osascript_is_an_argument_and_never_part_of_the_script() {
        let text = "\" & (do shell script \"touch /tmp/x\") & \"\n<b>&amp;";
        let arguments = Way::Osascript.arguments(&message(text));
        assert_eq!(arguments[..6], ["-e", SCRIPT[0], "-e", SCRIPT[1], "-e", SCRIPT[2]]);
        assert_eq!(arguments[6..], ["A sign-in is needed", text], "plain text, as it is no markup there");
    }

    #[test]
    fn text_for_a_bus_is_markup_and_never_an_option() {
        for way in [Way::NotifySend, Way::Busctl, Way::Gdbus] {
            let arguments = way.arguments(&message("--print-id <b>'x'\\ & y\nfix: z"));
            let body = arguments.iter().find(|argument| argument.contains("print-id")).unwrap();
            assert!(body.contains("&lt;b&gt;") && body.contains("&amp; y"), "{body}");
            let at = arguments.iter().position(|argument| argument == body).unwrap();
            let ends_options = arguments.iter().position(|argument| argument == "--").unwrap();
            assert!(ends_options < at, "{arguments:?}");
        }
        assert_eq!(quoted("it's \\ a\nb"), "'it\\'s \\\\ a\\nb'");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_friendliest_program_is_taken_and_none_where_there_is_no_session_bus() {
        let all = programs(&["notify-send", "busctl", "gdbus"], "exit 0");
        let some = programs(&["busctl", "gdbus"], "exit 0");
        let (all, some) = (all.path().to_str().unwrap(), some.path().to_str().unwrap());
        let bus = ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        let way = |pairs: &[(&str, &str)]| find(&environment(pairs)).map(|(way, _)| way);
        assert_eq!(way(&[("PATH", all), bus]), Some(Way::NotifySend));
        assert_eq!(way(&[("PATH", some), bus]), Some(Way::Busctl));
        assert_eq!(way(&[("PATH", all)]), None);
        assert_eq!(way(&[("PATH", all), ("DBUS_SESSION_BUS_ADDRESS", "")]), None);
        assert_eq!(way(&[("PATH", "/nowhere"), bus]), None);
        let runtime = programs(&["bus"], "");
        assert_eq!(way(&[("PATH", all), ("XDG_RUNTIME_DIR", "/nowhere")]), None);
        assert_eq!(way(&[("PATH", all), ("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]), Some(Way::NotifySend));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_program_sees_the_text_and_nothing_of_the_daemons_environment_but_the_desktop() {
        let folder = programs(
            &["notify-send"],
            "cd \"$(dirname \"$0\")\"; printf '%s|' \"$@\" > said; env > seen; read line || echo none > input",
        );
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let pairs = [
            ("PATH", path.as_str()),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"),
            ("HTTPS_PROXY", "http://me:planted@proxy"),
            ("AWS_SESSION_TOKEN", "planted"),
        ];
        show(message("nobody is signed in\nfix: evercred login corp"), environment(&pairs)).await;
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let said = "--app-name|evercred|--urgency=critical|--|A sign-in is needed|nobody is signed in\nfix: evercred login corp|";
        assert_eq!(read("said"), said);
        assert_eq!(read("input"), "none\n");
        let seen = read("seen");
        assert!(seen.contains("DBUS_SESSION_BUS_ADDRESS") && !seen.contains("planted"), "{seen}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_desktop_that_hangs_is_given_up() {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::io::retry_on_intr;
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let folder = programs(&["notify-send"], "echo $$ > \"$0.pid\"; exec sleep 1000");
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let pairs = [("PATH", path.as_str()), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")];
        show_within(message("m"), environment(&pairs), Duration::from_millis(500)).await;
        let pid: i32 = std::fs::read_to_string(folder.path().join("notify-send.pid")).unwrap().trim().parse().unwrap();
        // Killed, though perhaps not yet gone.
        if let Ok(ends) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
            let ended = retry_on_intr(|| poll(&mut [PollFd::new(&ends, PollFlags::IN)], Some(&patience)));
            assert_eq!(ended, Ok(1), "it lives");
        }
    }
}
