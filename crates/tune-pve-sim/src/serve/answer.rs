//! Answers as bytes: the status line whose reason carries the message, and the body of the asked formatter.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::api::Reply;
use crate::errors::Failure;

const JSON: &str = "application/json;charset=UTF-8";

/// An answer before it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A refusal with an empty body.
    pub(super) fn empty(status: u16, reason: &str) -> Self {
        Answer { status, reason: reason.to_owned(), content_type: None, body: Vec::new() }
    }

    /// A refusal whose body is the text, without a content type.
    pub(super) fn text(status: u16, text: &str) -> Self {
        Answer { body: text.as_bytes().to_vec(), ..Answer::empty(status, first_line(text)) }
    }

    /// A page of something between client and server.
    pub(super) fn html(status: u16, reason: &str) -> Self {
        let page =
            format!("<html><head><title>{status} {reason}</title></head><body><h1>{reason}</h1></body></html>\n");
        let body = page.into_bytes();
        Answer { status, reason: reason.to_owned(), content_type: Some("text/html"), body }
    }

    pub(super) fn json(status: u16, reason: &str, value: &Json) -> Self {
        let body = value.to_string().into_bytes();
        Answer { status, reason: reason.to_owned(), content_type: Some(JSON), body }
    }

    /// The bytes on the wire.
    pub(super) fn bytes(&self, keep: bool) -> Vec<u8> {
        let reason: String = self.reason.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        head.push_str("Cache-Control: max-age=0\r\nPragma: no-cache\r\nServer: pve-api-daemon/3.0\r\n");
        if let Some(kind) = self.content_type {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        let connection = if keep { "Keep-Alive" } else { "close" };
        head.push_str(&format!("Connection: {connection}\r\nContent-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// What a call gave, in the form of a formatter; nothing if there is no such formatter.
pub(super) fn render(format: &str, result: Result<Reply, Failure>) -> Option<Answer> {
    match (format, result) {
        ("json" | "extjs", Ok(Reply::Text(text))) => {
            let body = text.into_bytes();
            Some(Answer { status: 200, reason: "OK".to_owned(), content_type: Some("text/plain"), body })
        }
        ("json", Ok(reply)) => Some(Answer::json(200, "OK", &body(reply).into())),
        ("json", Err(failure)) => {
            let (code, message, errors) = parts(failure);
            let mut body = json!({ "data": null, "message": message });
            if !errors.is_empty() {
                body["errors"] = json!(errors);
            }
            Some(Answer::json(code, first_line(&message), &body))
        }
        ("extjs" | "htmljs", result) => {
            let body = extjs(result);
            Some(if format == "extjs" { Answer::json(200, "OK", &body) } else { escaped(&body) })
        }
        ("png", _) => Some(Answer { content_type: Some("image/png"), ..Answer::empty(200, "OK") }),
        ("spiceconfig", Ok(Reply::Data(Json::Object(map)))) => {
            let lines: String = map.iter().map(|(key, value)| format!("{key}={}\n", plain(value))).collect();
            let body = format!("[virt-viewer]\n{lines}").into_bytes();
            let kind = Some("application/x-virt-viewer;charset=UTF-8");
            Some(Answer { status: 200, reason: "OK".to_owned(), content_type: kind, body })
        }
        ("spiceconfig", Ok(_)) => Some(Answer::empty(500, "unable to format result")),
        ("spiceconfig", Err(failure)) => {
            let (code, message, _) = parts(failure);
            Some(Answer::empty(code, first_line(&message)))
        }
        _ => None,
    }
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(body: &Json) -> Answer {
    let text = body.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let kind = Some("text/html;charset=UTF-8");
    Answer { status: 200, reason: "OK".to_owned(), content_type: kind, body: text.into_bytes() }
}

fn body(reply: Reply) -> Map<String, Json> {
    let (data, total) = match reply {
        Reply::Data(data) => (data, None),
        Reply::Part(rows, total) => (rows.into(), total),
        Reply::Text(text) => (text.into(), None),
        Reply::Wait { upid, .. } => (upid.into(), None),
    };
    let mut body = Map::from_iter([("data".to_owned(), data)]);
    if let Some(total) = total {
        body.insert("total".to_owned(), total.into());
    }
    body
}

fn parts(failure: Failure) -> (u16, String, BTreeMap<String, String>) {
    match failure {
        Failure::Error { code, message, errors } => (code, message, errors),
        Failure::Locked(vmid) => (500, format!("{}\n", crate::errors::lock_timeout(vmid)), BTreeMap::new()),
    }
}

/// The form for the web interface, which has its own idea of failure. Its status is a text where a check raised it.
fn extjs(result: Result<Reply, Failure>) -> Json {
    match result {
        Ok(reply) => {
            let mut body = body(reply);
            body.insert("success".to_owned(), 1.into());
            body.into()
        }
        Err(failure) => {
            let (code, message, errors) = parts(failure);
            let status = if matches!(code, 400 | 401 | 403) { Json::from(code.to_string()) } else { code.into() };
            let mut body = json!({ "data": null, "message": message, "success": 0, "status": status });
            if !errors.is_empty() {
                body["errors"] = json!(errors);
            }
            body
        }
    }
}
