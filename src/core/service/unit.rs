//! The systemd user units, from the files in `systemd/`.

const SERVICE: &str = include_str!("../../../systemd/evercredd.service");
const SOCKET: &str = include_str!("../../../systemd/evercredd.socket");
const HARDENING: &str = include_str!("../../../systemd/evercredd.service.d/hardening.conf");
const PORTABLE: &str = include_str!("../../../systemd/evercredd.service.d/portable.conf");
const HELPERS: &str = include_str!("../../../systemd/evercredd.service.d/helpers.conf");

/// The service's name.
pub const NAME: &str = "evercredd.service";
/// The socket's.
pub const SOCKET_NAME: &str = "evercredd.socket";
const DROP_IN: &str = "evercredd.service.d";
/// From here to the end of its section the service's file shuts it off.
const FIRST_OF_SANDBOX: &str = "# What the kernel enforces for any user.";

/// How much the service is shut off from the rest of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardening {
    /// From files too, which it writes only where it has to.
    Strict,
    /// As the unit says.
    Usual,
    /// As far as the kernel goes for any user, where there are no user namespaces.
    Portable,
    /// Less, as profiles run programs of their own.
    Helpers,
}

/// What differs from one installation to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// The daemon's path.
    pub program: String,
    /// The runtime folder, where it is not the usual one.
    pub runtime: Option<String>,
    /// Variables of the unit itself.
    pub variables: Vec<(String, String)>,
    /// The folders that the daemon writes to, its runtime and its state folder first.
    pub writable: Vec<String>,
    /// How much it is shut off.
    pub hardening: Hardening,
}

impl Filling {
    /// The folders as systemd is told of them: without those of the AWS tools, which may be gone one day, it starts all the same.
    fn writable(&self) -> impl Iterator<Item = String> {
        self.writable.iter().enumerate().map(|(at, path)| if at < 2 { path.clone() } else { format!("-{path}") })
    }
}

/// The variables that an installed unit has.
pub fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("Environment="));
    lines
        .filter_map(|word| unquoted(word).split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}

/// A file in the folder of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// Its name, with the drop-in's folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The files of an installation.
///
/// # Errors
/// A sentence: a path can't be written into a unit.
pub fn files(filling: &Filling) -> Result<Vec<UnitFile>, String> {
    let paths = filling.writable.iter().chain(&filling.runtime).chain([&filling.program]);
    if let Some(path) =
        paths.chain(filling.variables.iter().map(|(_, value)| value)).find(|path| path.contains(char::is_control))
    {
        return Err(format!("{path:?} has control characters in it: no unit can hold them"));
    }
    if filling.program.contains(['"', '\'', '\\']) {
        return Err(format!(
            "systemd starts no program whose path has quotes or backslashes in it, as {} has",
            filling.program
        ));
    }
    let mut exec = format!("ExecStart={}", quoted(&filling.program));
    for (name, value) in &filling.variables {
        exec.push_str(&format!("\nEnvironment={}", quoted(&format!("{name}={value}"))));
    }
    let file = |name: &str, text: String| UnitFile { name: name.to_owned(), text };
    let mut files = vec![file(NAME, with_line(SERVICE, "ExecStart=", &exec))];
    files.push(match &filling.runtime {
        Some(runtime) => file(
            SOCKET_NAME,
            with_line(SOCKET, "ListenStream=", &format!("ListenStream={}/evercred.sock", specifiers(runtime))),
        ),
        None => file(SOCKET_NAME, SOCKET.to_owned()),
    });
    match filling.hardening {
        Hardening::Usual => {}
        Hardening::Portable => files.push(file(&format!("{DROP_IN}/portable.conf"), PORTABLE.to_owned())),
        Hardening::Strict => {
            let paths: Vec<String> = filling.writable().map(|path| quoted(&path)).collect();
            let text = with_line(HARDENING, "ReadWritePaths=", &format!("ReadWritePaths={}", paths.join(" ")));
            files.push(file(&format!("{DROP_IN}/hardening.conf"), text));
        }
        Hardening::Helpers => files.push(file(&format!("{DROP_IN}/helpers.conf"), HELPERS.to_owned())),
    }
    Ok(files)
}

/// Every name that any installation writes.
pub fn names() -> [String; 5] {
    let drop_in = |name: &str| format!("{DROP_IN}/{name}.conf");
    [NAME.to_owned(), SOCKET_NAME.to_owned(), drop_in("hardening"), drop_in("portable"), drop_in("helpers")]
}

/// Whether a text is one of those that are shipped, as copied by hand.
pub fn is_shipped(text: &str) -> bool {
    [SERVICE, SOCKET, HARDENING, PORTABLE, HELPERS].contains(&text)
}

/// Everything that shuts the service off, as `systemd-run` takes it, to try it out: what each setting needs of a machine is
/// known to nobody but its systemd. It knows no specifiers.
pub fn properties(filling: &Filling) -> Vec<String> {
    let files = files(filling).unwrap_or_default();
    let service =
        files.iter().filter(|file| file.name == NAME).filter_map(|file| file.text.split_once(FIRST_OF_SANDBOX));
    let service = service.flat_map(|(_, rest)| rest.split("[Install]").next());
    let drop_in = files.iter().filter(|file| file.name.starts_with(DROP_IN)).map(|file| file.text.as_str());
    let lines = service.chain(drop_in).flat_map(str::lines);
    let settings = lines.filter(|line| !line.starts_with(['#', '[']) && line.contains('='));
    let writable: Vec<String> = filling.writable().map(|path| word(&path)).collect();
    let paths = format!("ReadWritePaths={}", writable.join(" "));
    settings.map(|line| if line.starts_with("ReadWritePaths=") { paths.clone() } else { line.to_owned() }).collect()
}

fn with_line(text: &str, start: &str, line: &str) -> String {
    text.lines().map(|old| if old.starts_with(start) { line } else { old }.to_owned() + "\n").collect()
}

/// A word by the rules of systemd.syntax(7), quoted where it has to be. An executable's path is not searched for variables.
fn quoted(text: &str) -> String {
    word(&specifiers(text))
}

fn word(word: &str) -> String {
    if word.contains([' ', '"', '\'', '\\', ';']) {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        word.to_owned()
    }
}

/// A word that [`quoted`] has written.
fn unquoted(word: &str) -> String {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
    let mut plain = String::new();
    let mut chars = inner.unwrap_or(word).chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' && inner.is_some() { chars.next() } else { Some(c) });
    }
    plain.replace("%%", "%")
}

fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling(hardening: Hardening) -> Filling {
        Filling {
            program: "/opt/my tools/100%/evercredd".to_owned(),
            runtime: None,
            variables: vec![("EVERCRED_STATE_DIR".to_owned(), "/s \"x\"".to_owned())],
            writable: ["/h/run", "/h/my state%", "/h/.aws"].map(str::to_owned).to_vec(),
            hardening,
        }
    }

    fn text(filling: &Filling, name: &str) -> Option<String> {
        files(filling).unwrap().into_iter().find(|file| file.name == name).map(|file| file.text)
    }

    #[test]
    fn the_paths_are_filled_in_and_nothing_else_changes() {
        let service = text(&filling(Hardening::Usual), NAME).unwrap();
        let filled: Vec<&str> =
            service.lines().filter(|line| !SERVICE.lines().any(|shipped| shipped == *line)).collect();
        assert_eq!(
            filled,
            ["ExecStart=\"/opt/my tools/100%%/evercredd\"", "Environment=\"EVERCRED_STATE_DIR=/s \\\"x\\\"\""]
        );
        assert_eq!(variables(&service), filling(Hardening::Usual).variables);
        assert_eq!(text(&filling(Hardening::Usual), SOCKET_NAME).as_deref(), Some(SOCKET));
        let runtime = Some("/run/me 50%".to_owned());
        let socket = text(&Filling { runtime, ..filling(Hardening::Usual) }, SOCKET_NAME).unwrap();
        assert!(socket.contains("\nListenStream=/run/me 50%%/evercred.sock\n"), "{socket}");
    }

    #[test]
    fn one_drop_in_at_most_goes_with_it() {
        for (hardening, wanted) in [
            (Hardening::Usual, None),
            (Hardening::Strict, Some("evercredd.service.d/hardening.conf")),
            (Hardening::Portable, Some("evercredd.service.d/portable.conf")),
            (Hardening::Helpers, Some("evercredd.service.d/helpers.conf")),
        ] {
            let names: Vec<String> =
                files(&filling(hardening)).unwrap().into_iter().skip(2).map(|file| file.name).collect();
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(wanted));
        }
        let drop_in = text(&filling(Hardening::Strict), "evercredd.service.d/hardening.conf").unwrap();
        assert!(drop_in.contains("\nReadWritePaths=/h/run \"/h/my state%%\" -/h/.aws\n"), "{drop_in}");
        let usual = properties(&filling(Hardening::Usual));
        assert!(usual.contains(&"NoNewPrivileges=yes".to_owned()) && usual.contains(&"PrivateUsers=yes".to_owned()));
        let strict = properties(&filling(Hardening::Strict));
        assert!(strict.starts_with(&usual));
        assert!(strict.contains(&"ReadWritePaths=/h/run \"/h/my state%\" -/h/.aws".to_owned()), "{strict:?}");
        // The last word counts.
        assert!(properties(&filling(Hardening::Portable)).contains(&"PrivateUsers=no".to_owned()));
    }

    #[test]
    fn a_path_that_would_break_the_unit_is_refused() {
        let program = "/opt/a\nExecStartPre=/bin/evil".to_owned();
        assert!(files(&Filling { program, ..filling(Hardening::Usual) }).is_err());
        for program in ["/opt/o'clock/evercredd", "/opt/\"x\"/evercredd", "/opt/a\\b/evercredd"] {
            let filling = Filling { program: program.to_owned(), ..filling(Hardening::Usual) };
            assert!(files(&filling).is_err_and(|why| why.contains(program)));
        }
    }

    #[test]
    fn a_quoted_word_is_read_back_as_it_was() {
        use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
        proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(word in "/[ -~é]{0,20}")| {
            prop_assert_eq!(unquoted(&quoted(&word)), word);
        });
    }
}
