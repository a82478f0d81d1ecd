//! One who asks, and asks again if there is no answer: with the same `Idempotency-Key`, so that what was heard and not answered is
//! not begun twice.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::script::{Line, Script};
use crate::suite::Owner;

/// What was asked for, and the operation that came of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /resize`.
    pub what: String,
    /// The resource; none of what is made.
    pub resource: Option<String>,
    /// Absent if it was refused.
    pub operation: Option<String>,
}

/// The owner of the organization, who asks for so many operations and no more.
pub struct Asker {
    pub owner: Owner,
    wanted: usize,
    count: AtomicUsize,
    /// How long an operation is waited for before its story is broken off.
    patience: Duration,
}

/// Between two attempts to be heard.
const AGAIN: Duration = Duration::from_millis(200);
/// How long to try: a key whose first request died with its server is free again after three minutes.
const PATIENCE: Duration = Duration::from_mins(5);

impl Asker {
    pub fn new(owner: Owner, wanted: usize, patience: Duration) -> Self {
        Self { owner, wanted, count: AtomicUsize::new(0), patience }
    }

    /// Whether more operations are to be asked for.
    pub fn wants_more(&self) -> bool {
        self.count.load(Ordering::SeqCst) < self.wanted
    }

    /// Counts one operation in, if it is still wanted.
    fn take_one(&self) -> bool {
        let one_more = |count| (count < self.wanted).then_some(count + 1);
        self.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Sends until there is an answer that is one.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let key = uuid::Uuid::new_v4().to_string();
        let until = Instant::now() + PATIENCE;
        loop {
            let sent = self.owner.try_send(method, path, body, Some(&key)).await;
            match sent {
                Ok((status, answer)) => {
                    let in_flight = status == 409
                        && answer["detail"].as_str().is_some_and(|text| text.contains("still under way"));
                    if status < 500 && status != 429 && !in_flight {
                        return Ok((status, answer));
                    }
                    ensure!(Instant::now() < until, "{method} {path}: {status} {answer}");
                }
                Err(error) => ensure!(Instant::now() < until, "{method} {path}: {error:#}"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.send("GET", path, &Value::Null).await?;
        ensure!(status == 200, "GET {path}: {status} {answer}");
        Ok(answer)
    }

    /// All pages of a list.
    async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{mark}limit=200{cursor}")).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Everything the inventory has, in an order that is the same at every run.
    pub async fn stock(&self, providers: &[String]) -> Result<Vec<Value>> {
        let mut found = self.all("/api/cloud/resources").await?;
        let place = |one: &Value| providers.iter().position(|id| one["provider_id"] == id.as_str());
        found.sort_by_key(|one| (place(one), one["native_id"].as_str().unwrap_or_default().to_owned()));
        Ok(found)
    }

    /// Tells one story; each line after the end of the one before, but for those that come at once. It is broken off where an
    /// operation does not end, and where no more are wanted.
    pub async fn play(&self, script: Script) -> Result<Vec<Asked>> {
        let mut asked: Vec<Asked> = Vec::new();
        let mut resource = script.resource;
        let mut open: Vec<String> = Vec::new();
        for line in script.lines {
            if !line.at_once {
                for operation in open.drain(..) {
                    if self.ended(&operation).await?.is_none() {
                        return Ok(asked);
                    }
                }
            }
            if !self.take_one() {
                break;
            }
            let begun = self.ask(&line, resource.as_deref()).await?;
            open.extend(begun.operation.clone());
            let makes = resource.is_none();
            asked.push(begun.clone());
            let operation = match begun.operation {
                Some(operation) => operation,
                // What was not made, or is not known, has no story.
                None if makes => return Ok(asked),
                None => continue,
            };
            if let Some(wait) = line.cancel {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                // One that has ended by now is not cancelled, which is as well.
                self.send("POST", &format!("/api/operations/{operation}/cancel"), &Value::Null).await?;
            }
            if makes {
                open.clear();
                let Some(ended) = self.ended(&operation).await? else { return Ok(asked) };
                resource = ended["steps"][1]["output"]["resource_id"].as_str().map(str::to_owned);
                if ended["state"] != "succeeded" || resource.is_none() {
                    return Ok(asked);
                }
            }
        }
        for operation in open {
            self.ended(&operation).await?;
        }
        Ok(asked)
    }

    async fn ask(&self, line: &Line, resource: Option<&str>) -> Result<Asked> {
        let path = resource.map_or_else(
            || "/api/cloud/resources".to_owned(),
            |id| format!("/api/cloud/resources/{id}{}?on_conflict=wait", line.verb),
        );
        let (status, answer) = self.send(line.method, &path, &line.body).await?;
        let operation = answer["operation"]["id"].as_str().filter(|_| status == 202).map(str::to_owned);
        // It was begun by a server that died before it could say so: the judge finds it among all operations.
        let unheard = status == 409
            && answer["detail"].as_str().is_some_and(|text| text.contains("but its answer was lost"));
        if operation.is_none() && !unheard {
            // It was counted in, and is none.
            self.count.fetch_sub(1, Ordering::SeqCst);
            crate::say(&format!("refused: {} {path}: {status} {}", line.method, answer["detail"]));
        }
        let what = format!("{} {}", line.method, line.verb);
        Ok(Asked { what, resource: resource.map(str::to_owned), operation })
    }

    /// An operation at its end; none if it does not end in time, which the judge will hear of.
    async fn ended(&self, operation: &str) -> Result<Option<Value>> {
        let until = Instant::now() + self.patience;
        loop {
            let now = self.get(&format!("/api/operations/{operation}/wait?timeout_seconds=5")).await?;
            if now["done"] == true {
                return self.get(&format!("/api/operations/{operation}")).await.map(Some);
            }
            if Instant::now() > until {
                return Ok(None);
            }
        }
    }

    /// Every change with its steps, once all have ended or there was time enough to.
    pub async fn all_ended(&self, patience: Duration) -> Result<Vec<Value>> {
        let until = Instant::now() + patience;
        let changes = "/api/operations?filter=kind%3Dchange_resources";
        loop {
            let open = self.all(&format!("{changes}%20AND%20done%3Dfalse")).await?;
            if open.is_empty() || Instant::now() > until {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        let mut detailed = Vec::new();
        for operation in self.all(changes).await? {
            let id = operation["id"].as_str().context("an operation without an id")?.to_owned();
            detailed.push(self.get(&format!("/api/operations/{id}")).await?);
        }
        Ok(detailed)
    }
}
