//! What AWS says when it does not do what was asked, and how each protocol writes that down.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{Answer, Dialect, escape};
use crate::aws::schema::{Kind, Schema};

/// A refusal, in AWS's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// As it is called on the wire: `InvalidInstanceID.NotFound`.
    pub code: Cow<'static, str>,
    pub message: String,
    /// The HTTP status; without one the model says, and else it is 400.
    pub status: Option<u16>,
    /// Further members of the error.
    pub members: Map<String, Value>,
    /// Headers that say more.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal with the status that the service's model gives it.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: None,
            members: Map::new(),
            headers: Vec::new(),
        }
    }

    /// The same with a status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same with a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The simulator contradicted its own model: a defect of it.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message).status(500)
    }

    /// The answer in the protocol that was asked in.
    pub fn answer(&self, schema: &Schema, dialect: Dialect, request_id: &str) -> Answer {
        let status = self.status_in(schema);
        let mut answer = match dialect {
            Dialect::Ec2 => Answer::xml(status, self.ec2(request_id)),
            Dialect::RestXml if schema.signing_name() == "s3" => Answer::xml(status, self.s3(request_id)),
            Dialect::Query | Dialect::RestXml => Answer::xml(status, self.query(schema, status, request_id)),
            Dialect::Json => self.json(schema, status),
        };
        for (name, value) in &self.headers {
            answer.header(name, value);
        }
        answer
    }

    fn status_in(&self, schema: &Schema) -> u16 {
        let modelled =
            || schema.error(&self.code).and_then(|(_, error)| error).map(|error| error.http_status_code);
        self.status.or_else(modelled).unwrap_or(400)
    }

    fn ec2(&self, request_id: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code>\
             <Message>{}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>",
            escape(&self.code),
            escape(&self.message)
        )
    }

    fn query(&self, schema: &Schema, status: u16, request_id: &str) -> String {
        let blame = if status < 500 { "Sender" } else { "Receiver" };
        let namespace =
            schema.meta.xml_namespace.as_deref().unwrap_or("https://route53.amazonaws.com/doc/2013-04-01/");
        format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{blame}</Type><Code>{}</Code>\
             <Message>{}</Message>{}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            escape(&self.code),
            escape(&self.message),
            self.further()
        )
    }

    fn s3(&self, request_id: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{}\
             <RequestId>{request_id}</RequestId><HostId>simulated</HostId></Error>",
            escape(&self.code),
            escape(&self.message),
            self.further()
        )
    }

    fn further(&self) -> String {
        let one = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("<{name}>{}</{name}>", escape(&text))
        };
        self.members.iter().map(one).collect()
    }

    /// JSON calls the error by its shape. A service that once spoke Query adds the old name in a header.
    fn json(&self, schema: &Schema, status: u16) -> Answer {
        let shape = schema.error(&self.code).map(|(shape, _)| shape);
        let name = shape.map_or(&*self.code, |shape| shape.name.as_str());
        let mut body = self.members.clone();
        body.insert("__type".to_owned(), json!(name));
        body.insert(message_member(shape).to_owned(), json!(self.message));
        let mut answer = Answer::new(status);
        answer.header("x-amzn-errortype", name);
        if schema.meta.aws_query_compatible.is_some() {
            let blame = if status < 500 { "Sender" } else { "Receiver" };
            answer.header("x-amzn-query-error", &format!("{};{blame}", self.code));
        }
        answer.json(schema, &Value::Object(body));
        answer
    }
}

/// Some models write `Message`, others `message`.
fn message_member(shape: Option<&crate::aws::schema::Shape>) -> &'static str {
    match shape.map(|shape| &shape.kind) {
        Some(Kind::Structure(structure)) if structure.member("Message").is_some() => "Message",
        _ => "message",
    }
}
