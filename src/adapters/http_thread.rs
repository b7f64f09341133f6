//! A separate thread parses the answers of servers: an answer without an end, such as an endless series of `100 Continue`,
//! keeps the parser busy for as long as it comes, and the daemon must answer its callers meanwhile.

use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// Threads for name look-ups, some of which may hang.
const BLOCKING_THREADS: usize = 32;

/// A connector whose connections belong to the thread.
#[derive(Clone, Debug)]
pub(super) struct OnHttpThread(pub(super) SharedHttpConnector);

impl HttpConnector for OnHttpThread {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.0.clone();
        let Some(thread) = thread() else { return inner.call(request) };
        HttpConnectorFuture::new(async move {
            let mut call = Call(thread.spawn(async move { inner.call(request).await }));
            match (&mut call.0).await {
                Ok(answer) => answer,
                Err(error) => Err(ConnectorError::other(error.into(), None)),
            }
        })
    }
}

/// A call that ends when its caller does not wait any more.
struct Call(JoinHandle<Result<HttpResponse, ConnectorError>>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The thread's runtime. Without descriptors or threads for it there is none, and the next call tries again.
fn thread() -> Option<Handle> {
    static THREAD: Mutex<Option<Handle>> = Mutex::new(None);
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if thread.is_none() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http-pool")
            .build()
            .ok()?;
        let handle = runtime.handle().clone();
        let serve = move || runtime.block_on(std::future::pending::<()>());
        std::thread::Builder::new().name("http".to_owned()).spawn(serve).ok()?;
        *thread = Some(handle);
    }
    thread.clone()
}
