//! The log: one line an event on stderr, where the service manager collects it.

use tracing_subscriber::filter::{EnvFilter, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. `directives` is what RUST_LOG says; a directive that can't be read is said and left out.
///
/// Other crates' events are capped at info whatever the directives say: at trace the AWS SDK prints bearer tokens and
/// whole answers, keys included.
pub(super) fn start<W>(directives: Option<&str>, writer: W, colour: bool)
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
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour).with_target(false);
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(layer.with_filter(ours_or_quiet).with_filter(filter)).try_init();
    if let Some(error) = rejected {
        tracing::warn!("RUST_LOG can't be read ({error}): logging at info");
    }
}

fn default_filter() -> EnvFilter {
    EnvFilter::new("info")
}

fn is_ours(target: &str) -> bool {
    target == "evercred" || target == "evercredd" || target.starts_with("evercred::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_targets_may_speak_below_info() {
        assert!(is_ours("evercred::daemon"));
        assert!(!is_ours("evercred_lookalike"));
        assert!(!is_ours("aws_smithy_runtime::client"));
    }
}
