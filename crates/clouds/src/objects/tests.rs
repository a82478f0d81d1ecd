//! What is refused before anything is sent, and what becomes of a put whose answer was lost.

use std::{
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::*;
use crate::layers::{CallSite, Dice, Layers, Policy};

fn kind<T>(result: Result<T, CloudError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

#[test]
fn what_some_cloud_could_not_hold_is_refused() {
    let put = Put::new("x");
    for key in ["a", "/a", "a//b", "a/", "ü %+&?#", "...", ".a/b.", &"x".repeat(1024)] {
        assert!(put.check("cloud", key).is_ok(), "{key}");
    }
    for key in ["", ".", "a/../b", "a/.", "a\nb", "\u{7f}", "a\\b", &"x".repeat(1025), &"ü".repeat(513)] {
        assert_eq!(kind(put.check("cloud", key)), Some(ErrorKind::Invalid), "{key}");
    }
    // What another program wrote can be read.
    assert!(Get::default().check("cloud", "a\\b\u{1}").is_ok());
    let with = |name: &str, value: &str| Put {
        metadata: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..Put::new("x")
    };
    assert!(with("a_1", "a b=c").check("cloud", "k").is_ok());
    for (name, value) in
        [("", "x"), ("A", "x"), ("1a", "x"), ("a-b", "x"), ("a", "ü"), ("a", " b"), ("a", "\n")]
    {
        assert_eq!(kind(with(name, value).check("cloud", "k")), Some(ErrorKind::Invalid), "{name}: {value}");
    }
    assert_eq!(kind(with("a", &"x".repeat(LARGEST_METADATA)).check("cloud", "k")), Some(ErrorKind::Invalid));
    let untyped = Put { content_type: String::new(), ..Put::new("x") };
    assert_eq!(kind(untyped.check("cloud", "k")), Some(ErrorKind::Invalid));
}

#[test]
fn what_is_too_large_is_refused_by_its_size() {
    let largest = usize::try_from(LARGEST).unwrap();
    assert!(Put::new(vec![0; largest]).check("cloud", "k").is_ok());
    let error = Put::new(vec![0; largest + 1]).check("cloud", "k").unwrap_err();
    assert!(error.message.contains("16777217"), "{error}");
    let range = |range| Get { range: Some(range), only_if: None };
    assert!(range(5..5 + LARGEST).check("cloud", "k").is_ok());
    assert_eq!(range(5..8).range_header().as_deref(), Some("bytes=5-7"));
    assert_eq!(kind(range(5..6 + LARGEST).check("cloud", "k")), Some(ErrorKind::Invalid));
    assert_eq!(kind(range(5..5).check("cloud", "k")), Some(ErrorKind::Invalid));
    assert!(range(0..1).check_size("cloud", LARGEST + 1).is_ok());
    assert!(Get::default().check_size("cloud", LARGEST).is_ok());
    assert_eq!(kind(Get::default().check_size("cloud", LARGEST + 1)), Some(ErrorKind::Invalid));
    assert_eq!(kind(Query { page: Some(1001), ..Query::default() }.check("cloud")), Some(ErrorKind::Invalid));
}

/// A bucket with room for one object, whose answers are lost as often as told.
struct Shelf {
    kept: Mutex<Option<Object>>,
    lost: AtomicU32,
    /// Whether a lost put takes effect.
    effective: bool,
    layers: Layers,
}

impl Shelf {
    fn new(lost: u32, effective: bool) -> Self {
        let policy = Policy { attempt_timeout: Duration::from_secs(1), ..Policy::default() };
        let layers = Layers::with_dice(policy, Dice::loaded(|| 0.5));
        Self { kept: Mutex::new(None), lost: AtomicU32::new(lost), effective, layers }
    }

    fn write(&self, put: &Put) -> Result<ETag, CloudError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let etag = ETag(format!("{}", put.bytes.len()));
        let fits = match (&put.only_if, kept.as_ref()) {
            (Condition::Any, _) | (Condition::Absent, None) => true,
            (Condition::Matches(tag), Some(kept)) => kept.head.etag == *tag,
            _ => false,
        };
        if !fits {
            return Err(CloudError::new("cloud", "x:Put", ErrorKind::PreconditionFailed, "no"));
        }
        let head = Head {
            size: put.bytes.len() as u64,
            etag: etag.clone(),
            content_type: Some(put.content_type.clone()),
            modified: None,
            metadata: put.metadata.clone(),
        };
        *kept = Some(Object { head, bytes: put.bytes.clone() });
        Ok(etag)
    }
}

#[async_trait]
impl Objects for Shelf {
    async fn containers(&self, _: &Bucket) -> Result<Option<Vec<String>>, CloudError> {
        Ok(None)
    }

    async fn put(&self, bucket: &Bucket, key: &str, put: &Put) -> Result<ETag, CloudError> {
        let site = CallSite { cloud: "cloud", service: "x", operation: "Put", region: None };
        let doubt = &Doubt::default();
        let attempt = || {
            doubt.attempt(async {
                let lose = |left: u32| left.checked_sub(1);
                if self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lose).is_err() {
                    return self.write(put);
                }
                if self.effective {
                    self.write(put)?;
                }
                pending().await
            })
        };
        let result = self.layers.call(site, attempt).await;
        doubt.settle(self, bucket, key, put, result).await
    }

    async fn get(&self, _: &Bucket, _: &str, _: &Get) -> Result<Option<Object>, CloudError> {
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn head(&self, _: &Bucket, _: &str) -> Result<Option<Head>, CloudError> {
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone().map(|object| object.head))
    }

    async fn delete(&self, _: &Bucket, _: &str, _: Option<&ETag>) -> Result<(), CloudError> {
        Ok(())
    }

    async fn list(&self, _: &Bucket, _: &Query, _: &mut dyn ObjectSink) -> Result<(), CloudError> {
        Ok(())
    }
}

fn bucket() -> Bucket {
    Bucket { native_id: "b".to_owned(), region: "r".to_owned(), container: None }
}

fn absent(text: &'static str) -> Put {
    Put { only_if: Condition::Absent, ..Put::new(text) }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_taken_for_a_refusal() {
    for effective in [true, false] {
        let shelf = Shelf::new(1, effective);
        assert_eq!(
            shelf.put(&bucket(), "k", &absent("mine")).await.unwrap(),
            ETag("4".to_owned()),
            "{effective}"
        );
        let next = Put { only_if: Condition::Matches(ETag("4".to_owned())), ..Put::new("again") };
        shelf.lost.store(1, Ordering::Relaxed);
        assert_eq!(shelf.put(&bucket(), "k", &next).await.unwrap(), ETag("5".to_owned()), "{effective}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_writers_object_is_a_refusal_even_in_doubt() {
    for (theirs, lost) in [("their", 1), ("mine, and longer", 1), ("mine", 0)] {
        let shelf = Shelf::new(lost, false);
        shelf.write(&Put::new(theirs)).unwrap();
        let refused = shelf.put(&bucket(), "k", &absent("mine.")).await;
        assert_eq!(kind(refused), Some(ErrorKind::PreconditionFailed), "{theirs}");
    }
    // The same bytes, but there without doubt: someone else was first.
    let shelf = Shelf::new(0, false);
    shelf.write(&Put::new("mine")).unwrap();
    assert_eq!(kind(shelf.put(&bucket(), "k", &absent("mine")).await), Some(ErrorKind::PreconditionFailed));
}

#[tokio::test]
async fn pages_in_a_circle_are_an_error_and_not_for_ever() {
    struct Count(usize);
    #[async_trait]
    impl ObjectSink for Count {
        async fn page(&mut self, _: ObjectPage) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0 += 1;
            if self.0 > 100 { Err("too many".into()) } else { Ok(()) }
        }
    }
    let mut sink = Count(0);
    let next =
        |token: Option<u32>| async move { Ok((ObjectPage::default(), Some((token.unwrap_or(0) + 1) % 3))) };
    assert_eq!(kind(walk("cloud", "x:List", &mut sink, next).await), Some(ErrorKind::Protocol));
}

#[tokio::test]
async fn an_error_after_a_lost_answer_does_not_say_that_nothing_was_written() {
    let shelf = Shelf::new(0, true);
    let (put, bucket) = (Put::new("x"), bucket());
    for (heard, told) in [
        (ErrorKind::Throttled, ErrorKind::Unavailable),
        (ErrorKind::PermissionDenied, ErrorKind::Unavailable),
        (ErrorKind::Timeout, ErrorKind::Timeout),
    ] {
        let error = || CloudError::new("test", "Put", heard, "no");
        let sure = Doubt::default();
        assert_eq!(kind(sure.settle(&shelf, &bucket, "k", &put, Err(error())).await), Some(heard));
        let doubt = Doubt::default();
        let lost = doubt
            .attempt(async { Err::<(), _>(CloudError::new("test", "Put", ErrorKind::Unavailable, "cut")) });
        assert!(lost.await.is_err());
        assert_eq!(kind(doubt.settle(&shelf, &bucket, "k", &put, Err(error())).await), Some(told));
    }
}
