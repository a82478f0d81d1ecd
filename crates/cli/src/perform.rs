//! Carrying out one operation: from the flags to the request, and from the answer to the output.

use std::fmt::Write as _;

use clap::ArgMatches;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    body,
    contexts::Connection,
    failure::{self, Failure},
    http::{Answer, Http, Request},
    names,
    nouns::{self, Noun},
    output::{
        Format,
        list::{Column, ListWriter},
        object,
    },
    plan,
    schema::Kind,
    spec::{Api, Operation, Parameter},
    surroundings::Surroundings,
    times, tree, wait,
};

/// The largest page that is asked for where the document names no other.
const LARGEST_PAGE: u64 = 200;

/// One operation that is being carried out.
pub struct Performance<'a> {
    api: &'a Api,
    operation: &'static Operation,
    noun: Option<&'static Noun>,
    matches: &'a ArgMatches,
    http: Http,
    format: Format,
    /// What was given by its name: the key of the parameter, and the id.
    named: Option<(&'static str, String)>,
    surroundings: &'a mut Surroundings,
}

/// Carries out `operation`.
pub async fn perform(
    api: &'static Api,
    operation: &'static Operation,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let connection = Connection::resolve(matches, surroundings)?;
    let http = Http::new(&connection, flag(matches, "verbose"))?;
    let format = Format::of(&one(matches, "output").unwrap_or_default());
    let noun = nouns::find(&operation.noun);
    let named = None;
    let mut performance = Performance { api, operation, noun, matches, http, format, named, surroundings };
    performance.run().await.map_err(|failure| performance.explain(failure))
}

impl Performance<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        self.resolve().await?;
        if tree::is_wait(self.operation) {
            let id = self.operation.path_parameters.first().and_then(|p| one(self.matches, &p.key));
            return self.wait(&id.unwrap_or_default()).await;
        }
        if self.operation.is_list {
            return self.list().await;
        }
        let request = self.request().await?;
        if self.operation.plans {
            self.agree(&request).await?;
        }
        let answer = self.http.send(&request, self.surroundings).await?;
        if self.operation.starts_operation && self.waits() {
            let operation = wait::inner(answer.body);
            if let Some(id) = operation.get("id").and_then(Value::as_str) {
                return self.wait(id).await;
            }
            return self.show(&operation);
        }
        self.told(&answer)
    }

    /// The request that the flags ask for; what a change starts from is read first.
    async fn request(&mut self) -> Result<Request, Failure> {
        let path = self.path();
        let mut if_match = one(self.matches, "if-match");
        let mut current = None;
        let reader = self.api.reader_of(self.operation).filter(|reader| reader.id != self.operation.id);
        let changes = self.operation.method != "POST" && self.operation.method != "GET";
        if changes && reader.is_some() {
            let answer = self.http.send(&Request::get(path.clone(), Vec::new()), self.surroundings).await?;
            if_match = if_match.or(answer.etag);
            current = Some(answer.body);
        }
        if self.operation.method == "DELETE" && !self.operation.plans {
            self.confirm(current.as_ref())?;
        }
        let replaced = current.as_ref().filter(|_| self.operation.method == "PUT");
        let body = body::build(self.operation, self.noun, replaced, self.matches, self.surroundings)?;
        let key = self.operation.takes_idempotency_key.then(|| {
            one(self.matches, "idempotency-key").unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
        });
        Ok(Request {
            method: Method::from_bytes(self.operation.method.as_bytes()).unwrap_or(Method::GET),
            path,
            query: self.query(),
            body,
            idempotency_key: key,
            if_match,
        })
    }

    /// Finds what was given by its name.
    async fn resolve(&mut self) -> Result<(), Failure> {
        let Some((noun, by_name)) = self.noun.and_then(|noun| Some((noun, noun.by_name?))) else {
            return Ok(());
        };
        let Some(parameter) = self.operation.path_parameters.iter().find(|one| one.name == "id") else {
            return Ok(());
        };
        let given = one(self.matches, &parameter.key).unwrap_or_default();
        let command = format!("marquee {} list", noun.name);
        let asked = (given.as_str(), noun.singular, command.as_str());
        let id = names::resolve(self.api, &self.http, by_name, asked, self.surroundings).await?;
        self.named = Some((parameter.key.as_str(), id));
        Ok(())
    }

    /// What a parameter of the path stands for.
    fn path_value(&self, parameter: &Parameter) -> String {
        let named = self.named.as_ref().filter(|(key, _)| *key == parameter.key);
        named.map_or_else(|| one(self.matches, &parameter.key).unwrap_or_default(), |(_, id)| id.clone())
    }

    fn path(&self) -> String {
        self.operation.path_parameters.iter().fold(self.operation.path.clone(), |path, parameter| {
            let value = self.path_value(parameter);
            path.replace(&format!("{{{}}}", parameter.name), &segment(&value))
        })
    }

    fn query(&self) -> Vec<(String, String)> {
        let mut query = Vec::new();
        for parameter in &self.operation.query {
            let is_time = parameter.kind == Kind::Text(times::PLACEHOLDER);
            for value in parameter_values(parameter, self.matches) {
                let value = if is_time { times::settle(&value, (self.surroundings.now)()) } else { value };
                query.push((parameter.name.clone(), value));
            }
        }
        query
    }

    /// Asks before something goes, if somebody is there.
    fn confirm(&mut self, current: Option<&Value>) -> Result<(), Failure> {
        if flag(self.matches, "yes") || !self.surroundings.terminal.stdin {
            return Ok(());
        }
        let id = self.operation.path_parameters.last().map(|last| self.path_value(last)).unwrap_or_default();
        let name = current.and_then(|c| c.get("name").or_else(|| c.get("email"))).and_then(Value::as_str);
        let singular = self.noun.map_or("thing", |noun| noun.singular);
        let what = name.map_or_else(|| id.clone(), |name| format!("“{name}” ({id})"));
        let verb = self.operation.verb.replace('-', " ");
        let removal = self.noun.map_or("", |noun| noun.removal);
        let text = format!("{verb} the {singular} {what}? {removal} [y/N] ").replace("  ", " ");
        let answer = self.surroundings.question(&crate::failure::clean(&text), false)?;
        let yes = answer.is_some_and(|a| matches!(a.expose_secret().trim(), "y" | "Y" | "yes"));
        if yes { Ok(()) } else { Err(Failure::Local("nothing was changed".into())) }
    }

    /// Shows what a change would do, and asks. Where nobody is there to be asked, only what can be undone is done unasked.
    async fn agree(&mut self, request: &Request) -> Result<(), Failure> {
        if flag(self.matches, "yes")
            || request.query.iter().any(|(name, value)| name == "validate_only" && value == "true")
        {
            return Ok(());
        }
        let mut rehearsal = request.clone();
        rehearsal.idempotency_key = None;
        rehearsal.query.push(("validate_only".to_owned(), "true".to_owned()));
        let answer = self.http.send(&rehearsal, self.surroundings).await?;
        let plan = &answer.body["plan"];
        if !self.surroundings.terminal.stdin {
            if plan::is_grave(plan) {
                self.surroundings.note(&plan::shown(plan));
                let why = plan::gravity(plan);
                return Err(Failure::Local(format!("nothing was changed: {why}, so say --yes")));
            }
            return Ok(());
        }
        let text = format!("{}Do it? [y/N] ", plan::shown(plan));
        let answer = self.surroundings.question(&text, false)?;
        let yes = answer.is_some_and(|a| matches!(a.expose_secret().trim(), "y" | "Y" | "yes"));
        if yes { Ok(()) } else { Err(Failure::Local("nothing was changed".into())) }
    }

    fn waits(&self) -> bool {
        flag(self.matches, "wait") || (self.surroundings.terminal.stderr && !flag(self.matches, "no-wait"))
    }

    async fn wait(&mut self, id: &str) -> Result<(), Failure> {
        let timeout = self.matches.try_get_one::<u64>("timeout").ok().flatten().copied();
        let operation = wait::until_done(self.api, &self.http, id, timeout, self.surroundings).await?;
        self.show(&operation)?;
        wait::verdict(&operation)
    }

    async fn list(&mut self) -> Result<(), Failure> {
        let all = flag(self.matches, "all");
        let limit = self.matches.get_one::<u64>("limit").copied();
        let largest = largest_page(self.operation);
        let mut writer =
            ListWriter::new(self.format, &columns(self.matches), self.columns(), self.surroundings);
        let mut query = self.query();
        loop {
            let left = limit.map(|limit| limit - writer.written());
            let size = left.map(|left| left.min(largest)).or_else(|| all.then_some(largest));
            query.retain(|(name, _)| name != "limit");
            query.extend(size.map(|size| ("limit".to_owned(), size.to_string())));
            let request = Request::get(self.path(), query.clone());
            let answer = self.http.send(&request, self.surroundings).await?;
            let items = answer.body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            writer.page(&mut self.surroundings.stdout, &items)?;
            let next = answer.body.get("next_cursor").cloned().unwrap_or_default();
            let more = all || limit.is_some_and(|limit| writer.written() < limit);
            match next.as_str().filter(|_| more) {
                Some(cursor) => {
                    query.retain(|(name, _)| name != "cursor");
                    query.push(("cursor".to_owned(), cursor.to_owned()));
                }
                None => return self.end_list(&mut writer, &next),
            }
        }
    }

    fn end_list(&mut self, writer: &mut ListWriter, next: &Value) -> Result<(), Failure> {
        writer.finish(&mut self.surroundings.stdout, next)?;
        if !writer.left_out().is_empty() {
            let names = writer.left_out().join(", ");
            self.surroundings.note(&format!("too narrow for: {names} (--columns chooses, -o json has all)"));
        }
        if next.is_string() && self.format != Format::Json {
            let shown = writer.written();
            self.surroundings.note(&format!("{shown} shown; there are more: --limit N, or --all"));
        }
        Ok(())
    }

    /// Writes the answer, and says so where it shows something that is not well.
    fn told(&mut self, answer: &Answer) -> Result<(), Failure> {
        if let Some(text) = &answer.text {
            self.surroundings.stdout.write_all(text.as_bytes())?;
            self.surroundings.stdout.flush()?;
            return Ok(());
        }
        if answer.body.is_null() && self.format == Format::Table {
            self.surroundings.note("done");
            return Ok(());
        }
        if let Some(document) = self.document(&answer.body) {
            return self.print(document, &answer.body);
        }
        self.show(&answer.body)?;
        match answer.body.get("ok").and_then(Value::as_bool) {
            Some(false) => Err(Failure::NotWell(not_well(self.operation, &answer.body))),
            _ => Ok(()),
        }
    }

    /// The document that an answer is about, where people want it as it is.
    fn document<'v>(&self, answer: &'v Value) -> Option<&'v str> {
        let documents = self.noun.map_or(&[][..], |noun| noun.documents);
        let (_, place) = documents.iter().find(|(verb, _)| *verb == self.operation.verb)?;
        let plain = self.format == Format::Table && columns(self.matches).is_empty();
        answer.get(place).and_then(Value::as_str).filter(|_| plain)
    }

    /// Writes a document, and for a person what to do with it.
    fn print(&mut self, document: &str, answer: &Value) -> Result<(), Failure> {
        // For a file it is as it came; a terminal gets no escape sequences of others.
        let text =
            if self.surroundings.terminal.stdout { failure::clean(document) } else { document.to_owned() };
        self.surroundings.stdout.write_all(text.as_bytes())?;
        self.surroundings.stdout.flush()?;
        let commands: Vec<&str> =
            answer["commands"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if self.surroundings.terminal.stderr && !commands.is_empty() {
            let file = answer["file"].as_str().unwrap_or_default();
            self.surroundings.note(&format!("\nWritten to {file}, it is for:\n  {}", commands.join("\n  ")));
        }
        Ok(())
    }

    fn show(&mut self, value: &Value) -> Result<(), Failure> {
        Ok(object::write(self.format, value, &columns(self.matches), self.columns(), self.surroundings)?)
    }

    /// The columns of the presentation table for this operation.
    fn columns(&self) -> Vec<Column> {
        let Some(noun) = self.noun else { return Vec::new() };
        let other = noun.other_columns.iter().find(|(verb, _)| *verb == self.operation.verb);
        let usual = if self.operation.verb == "list" { noun.columns } else { &[] };
        let columns = other.map_or(usual, |(_, columns)| *columns);
        columns.iter().map(|(heading, path)| ((*heading).to_owned(), (*path).to_owned())).collect()
    }

    /// Names the flags that stand for the places a refusal points to.
    fn explain(&self, failure: Failure) -> Failure {
        let Failure::Problem { status, problem, hint, .. } = failure else { return failure };
        let hint = hint.or_else(|| unverified(&problem));
        let fields = self.operation.body.iter().flat_map(|body| &body.fields).filter(|field| !field.secret);
        let fields = fields.map(|field| (field.json_pointer(), format!("--{}", field.flag)));
        let query = self.operation.query.iter();
        let query = query.map(|parameter| (format!("?{}", parameter.name), format!("--{}", parameter.flag)));
        Failure::Problem { status, problem, hint, flags: fields.chain(query).collect() }
    }
}

/// What to do about credentials that a cloud did not accept.
fn unverified(problem: &Value) -> Option<String> {
    if problem["code"] != "provider_verification_failed" {
        return None;
    }
    let cloud = problem["cloud"]["cloud"].as_str().unwrap_or_default();
    match problem["cloud"]["kind"].as_str() {
        Some("unauthenticated") => Some(
            "nothing was stored: the credentials are mistyped, expired or revoked, or for another endpoint"
                .into(),
        ),
        Some("permission_denied") => Some(format!(
            "nothing was stored: `marquee providers policy {cloud}` prints what the credentials must be allowed"
        )),
        _ => None,
    }
}

fn not_well(operation: &Operation, body: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = body.get("error").or_else(|| body.get("problem")).or_else(|| body.get("detail"));
    let why = error.and_then(|error| {
        let cloud = || error.get("operation").map(|_| failure::cloud_words(error));
        text(error).or_else(|| error.get("detail").and_then(text)).or_else(cloud)
    });
    let what = operation.summary.trim_end_matches('.');
    why.map_or_else(|| format!("{what}: not passed"), |why| format!("{what}: {why}"))
}

fn parameter_values<'a>(
    parameter: &'a Parameter,
    matches: &'a ArgMatches,
) -> Box<dyn Iterator<Item = String> + 'a> {
    let key = parameter.key.as_str();
    match &parameter.kind {
        Kind::Integer { .. } => Box::new(many::<i64>(matches, key).map(|n| n.to_string())),
        Kind::Number => Box::new(many::<f64>(matches, key).map(|n| n.to_string())),
        Kind::Boolean { default } => {
            let default = *default;
            Box::new(many::<bool>(matches, key).filter(move |value| *value != default).map(|b| b.to_string()))
        }
        _ => Box::new(many::<String>(matches, key)),
    }
}

fn many<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    key: &str,
) -> impl Iterator<Item = T> + 'a {
    matches.try_get_many::<T>(key).ok().flatten().into_iter().flatten().cloned()
}

fn largest_page(operation: &Operation) -> u64 {
    let limit = operation.query.iter().find(|parameter| parameter.name == "limit").map(|p| &p.kind);
    match limit {
        Some(Kind::Integer { maximum: Some(maximum), .. }) => u64::try_from(*maximum).unwrap_or(LARGEST_PAGE),
        _ => LARGEST_PAGE,
    }
}

fn columns(matches: &ArgMatches) -> Vec<String> {
    many::<String>(matches, "columns").collect()
}

/// The value of a text argument, if the command has it and it was given.
pub fn one(matches: &ArgMatches, key: &str) -> Option<String> {
    matches.try_get_one::<String>(key).ok().flatten().cloned()
}

/// Whether a switch was given.
pub fn flag(matches: &ArgMatches, key: &str) -> bool {
    matches.try_get_one::<bool>(key).ok().flatten().copied().unwrap_or(false)
}

/// A value as one segment of a path.
pub fn segment(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            b'.' if value != "." && value != ".." => out.push('.'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(segment("prv_01989f2c"), "prv_01989f2c");
        assert_eq!(segment("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("a.b"), "a.b");
    }
}
