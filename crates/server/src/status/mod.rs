//! The status page: one page without external resources that draws what `/metrics` says.
//!
//! The server only hands it out. It reads, and nothing in it changes anything. The names of keys are data of users: it
//! gets them from [`keys`], only where the config says so.

pub mod keys;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;

/// The page.
const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n",
    "<title>Mayfly</title>\n<style>\n",
    include_str!("page.css"),
    "</style>\n<script type=\"module\">\n",
    include_str!("page.js"),
    "</script>\n</head>\n",
    include_str!("page.html"),
);

/// A browser loads nothing for it from elsewhere, and asks nobody but this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers a request for the page.
pub async fn page() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, PAGE)
}
