//! The endpoint for operators: `GET /metrics` for Prometheus, `GET /healthz` for probes, `GET /` for people, which asks for
//! `GET /status/keys.json` too.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;

use crate::metrics::exporter::Exporter;
use crate::status;

/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers requests on `listener` until it is dropped, for the status page only where there is one.
pub async fn serve<L>(listener: L, exporter: Arc<Exporter>, has_status_page: bool)
where
    L: Listener,
    L::Addr: Debug,
{
    let mut routes =
        Router::new().route("/metrics", get(metrics)).route("/healthz", get(|| async { "ok\n" }));
    if has_status_page {
        routes = routes.route("/", get(status::page)).route("/status/keys.json", get(status::keys::answer));
    }
    let routes = routes.with_state(exporter);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the metrics endpoint has stopped");
    }
}

async fn metrics(State(exporter): State<Arc<Exporter>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT)], exporter.render().await)
}
