//! The log: one line an event on stderr, where the service manager collects it.

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::core::printable::line;

/// Starts the log. `directives` is what RUST_LOG says; a directive that can't be read is said and left out.
///
/// Without colours, which need a feature of the library that is not compiled in: asked for, it warns on the terminal.
///
/// Other crates' events are capped at info whatever the directives say: at trace the AWS SDK prints bearer tokens and
/// whole answers, keys included.
pub(super) fn start<W>(directives: Option<&str>, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, rejected) = match directives.filter(|text| !text.is_empty()) {
        None => (default_filter(), None),
        Some(text) => match EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(text) {
            Ok(filter) => (filter, None),
            Err(error) => (default_filter(), Some(error)),
        },
    };
    let ours_or_quiet = filter_fn(|metadata| is_ours(metadata.target()) || *metadata.level() <= tracing::Level::INFO);
    let layer = tracing_subscriber::fmt::layer().fmt_fields(debug_fn(write_field).delimited(" "));
    let layer = layer.with_writer(writer).with_ansi(false).with_target(false);
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(layer.with_filter(ours_or_quiet).with_filter(filter)).try_init();
    if let Some(error) = rejected {
        tracing::warn!("RUST_LOG can't be read ({error}): logging at info");
    }
}

/// Formats a field of an event as one bounded line, so that text of a server, a program or a file can't begin a new log line.
fn write_field(
    writer: &mut tracing_subscriber::fmt::format::Writer<'_>,
    field: &Field,
    value: &dyn std::fmt::Debug,
) -> std::fmt::Result {
    let text = line(&format!("{value:?}"));
    if field.name() == "message" { writer.write_str(&text) } else { write!(writer, "{}={text}", field.name()) }
}

fn default_filter() -> EnvFilter {
    EnvFilter::new("info")
}

fn is_ours(target: &str) -> bool {
    target == "evercred" || target == "evercredd" || target.starts_with("evercred::")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let log = Log::default();
        let writer = log.clone();
        let layer = tracing_subscriber::fmt::layer().fmt_fields(debug_fn(write_field).delimited(" "));
        let subscriber =
            tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()).with_ansi(false));
        tracing::subscriber::with_default(subscriber, || {
            let hostile = "a\u{1b}[2J\r\nb\u{9b}\u{202e}\u{2028}c";
            tracing::warn!(why = hostile, "it said {hostile}");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(
            text.contains("it said a\\u{1b}[2J") && !crate::core::printable::has_harmful(text.trim_end()),
            "{text:?}"
        );
    }

    #[test]
    fn only_our_own_targets_may_speak_below_info() {
        assert!(is_ours("evercred::daemon"));
        assert!(!is_ours("evercred_lookalike"));
        assert!(!is_ours("aws_smithy_runtime::client"));
    }
}
