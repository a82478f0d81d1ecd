//! What every adapter's objects must do, checked over the wire like the inventory: see [`super`].
//!
//! Each check has a prefix of its own in the bucket, so checks may share one, and what was in it before is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;

use super::{Gap, settle};
use crate::{
    Cloud, CloudError, ErrorKind, Objects,
    objects::{
        Bucket, Condition, ETag, Get, Head, LARGEST, Listed, Object, ObjectPage, ObjectSink, Put, Query,
    },
};

/// A bucket to run against.
pub struct ObjectRig {
    /// The account, with good credentials.
    pub cloud: Arc<dyn Cloud>,
    /// A bucket of it, as its inventory gives it.
    pub bucket: Bucket,
    /// A bucket that could be, and is not.
    pub no_bucket: Bucket,
    /// The same account through a server that loses as many answers to writes as is written here.
    pub lossy: (Arc<dyn Cloud>, Arc<AtomicU32>),
    /// The same account with a wrong secret, if the endpoint asks for one.
    pub wrong_secret: Option<Arc<dyn Cloud>>,
    /// Whether it takes the largest object there may be in a test's time.
    pub largest: bool,
    /// What the endpoint gets wrong.
    pub gaps: &'static [Gap],
    /// Whatever must live as long as the rig: servers, folders.
    pub keep: Box<dyn Send + Sync>,
}

/// Makes a test of each check. The argument is an expression that gives a future of an [`ObjectRig`].
#[macro_export]
macro_rules! object_conformance {
    ($rig:expr) => {
        $crate::object_conformance!(@each $rig, what_is_written_is_read_back, ranges_are_parts,
            the_largest_object_passes_and_a_larger_one_does_not, only_if_absent_keeps_the_first,
            only_if_it_matches_replaces_what_was_seen, odd_names_are_names, listings_go_to_the_end,
            what_is_missing_is_missing, deleting_twice_is_deleting, one_writer_wins, a_lost_answer_is_found_out,
            containers_are_named, a_wrong_secret_reaches_no_object);
    };
    (@each $rig:expr, $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            let rig = $rig.await;
            $crate::conformance::objects::$check(&rig).await;
        })*
    };
}

impl std::fmt::Debug for ObjectRig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectRig({:?})", self.bucket)
    }
}

/// What went wrong, by the part of the check.
#[derive(Debug, Default)]
struct Wrong(BTreeMap<String, String>);

impl Wrong {
    fn unless(&mut self, part: &str, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.entry(part.to_owned()).or_insert_with(what);
        }
    }

    fn settle(&self, rig: &ObjectRig, check: &str) {
        settle(rig.gaps, check, &self.0);
    }
}

impl ObjectRig {
    fn objects(&self) -> &dyn Objects {
        objects(&*self.cloud)
    }

    async fn put(&self, key: &str, put: &Put) -> ETag {
        sure(key, self.objects().put(&self.bucket, key, put).await)
    }

    async fn get(&self, key: &str) -> Option<Object> {
        sure(key, self.objects().get(&self.bucket, key, &Get::default()).await)
    }

    async fn head(&self, key: &str) -> Option<Head> {
        sure(key, self.objects().head(&self.bucket, key).await)
    }

    async fn delete(&self, key: &str) {
        sure(key, self.objects().delete(&self.bucket, key, None).await);
    }

    async fn list(&self, query: &Query) -> Collected {
        let mut collected = Collected::default();
        sure(&query.prefix, self.objects().list(&self.bucket, query, &mut collected).await);
        collected
    }

    /// The bytes of an object; none if it is not there.
    async fn text(&self, key: &str) -> Option<String> {
        self.get(key).await.map(|object| String::from_utf8_lossy(&object.bytes).into_owned())
    }
}

fn objects(cloud: &dyn Cloud) -> &dyn Objects {
    cloud.objects().unwrap_or_else(|| panic!("a rig needs a cloud with objects"))
}

fn sure<T>(what: &str, result: Result<T, CloudError>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}: {error:?}"))
}

fn kind<T>(result: Result<T, CloudError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

/// What pages showed.
#[derive(Debug, Default)]
struct Collected {
    objects: Vec<Listed>,
    prefixes: Vec<String>,
    pages: usize,
}

#[async_trait]
impl ObjectSink for Collected {
    async fn page(&mut self, page: ObjectPage) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.objects.extend(page.objects);
        self.prefixes.extend(page.prefixes);
        self.pages += 1;
        Ok(())
    }
}

fn absent(text: &str) -> Put {
    Put { only_if: Condition::Absent, ..Put::new(text.to_owned()) }
}

/// Bytes, type and metadata come back as they were given, also of an empty object, and the tag is one.
pub async fn what_is_written_is_read_back(rig: &ObjectRig) {
    let everything: Vec<u8> =
        (0..300_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (key, bytes) in [("read-back/all bytes", everything), ("read-back/none", vec![])] {
        let put = Put {
            content_type: "application/vnd.orangery+json; charset=utf-8".to_owned(),
            metadata: BTreeMap::from([
                ("made_by".to_owned(), "the conformance suite".to_owned()),
                ("sha256".to_owned(), "0=/+".to_owned()),
            ]),
            ..Put::new(bytes.clone())
        };
        let etag = rig.put(key, &put).await;
        let read = rig.get(key).await.unwrap_or_else(|| panic!("{key} was written, and is not there"));
        assert!(read.bytes == bytes, "{key}: {} bytes became {}", bytes.len(), read.bytes.len());
        assert_eq!(read.head.content_type.as_ref(), Some(&put.content_type), "{key}");
        assert_eq!((&read.head.metadata, &read.head.etag), (&put.metadata, &etag), "{key}");
        assert_eq!(read.head.size, bytes.len() as u64, "{key}");
        assert!(read.head.modified.is_some(), "{key}");
        assert_eq!(rig.head(key).await, Some(read.head), "{key}");
        // The last one wins, and the content has another tag.
        let again = rig.put(key, &Put::new("again")).await;
        assert_ne!(again, etag);
        let read = rig.get(key).await.map(|object| (object.bytes, object.head.metadata, object.head.etag));
        assert_eq!(read, Some(("again".into(), BTreeMap::new(), again)), "{key}");
    }
}

/// A range gives its bytes and the size of all; with a tag, only of that content.
pub async fn ranges_are_parts(rig: &ObjectRig) {
    let (key, mut wrong) = ("ranges/digits", Wrong::default());
    let etag = rig.put(key, &Put::new("0123456789")).await;
    let get = |range, only_if: Option<&ETag>| Get { range: Some(range), only_if: only_if.cloned() };
    for (range, part) in [(2..5, "234"), (0..1, "0"), (9..10, "9"), (7..100, "789"), (0..10, "0123456789")] {
        let read = sure(key, rig.objects().get(&rig.bucket, key, &get(range.clone(), Some(&etag))).await);
        let read = read.map(|object| (object.bytes, object.head.size, object.head.etag));
        assert_eq!(read, Some((part.into(), 10, etag.clone())), "{range:?}");
    }
    for (part, range) in [("at the end", 10..12), ("behind the end", 11..12)] {
        let behind = rig.objects().get(&rig.bucket, key, &get(range.clone(), None)).await;
        let refused = matches!(&behind, Err(error) if error.kind == ErrorKind::Invalid);
        wrong.unless(part, refused, || format!("{range:?}: {behind:?}"));
    }
    rig.put(key, &Put::new("other content")).await;
    let stale = kind(rig.objects().get(&rig.bucket, key, &get(2..5, Some(&etag))).await);
    let refused = stale == Some(ErrorKind::PreconditionFailed);
    wrong.unless("stale tag", refused, || format!("{stale:?} of other content"));
    let missing = sure(key, rig.objects().get(&rig.bucket, "ranges/none", &get(0..1, None)).await);
    assert_eq!(missing, None);
    wrong.settle(rig, "ranges_are_parts");
}

/// The limit is a limit on both sides.
pub async fn the_largest_object_passes_and_a_larger_one_does_not(rig: &ObjectRig) {
    let key = "largest/object";
    let length = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    let larger = rig.objects().put(&rig.bucket, key, &Put::new(vec![0; length + 1])).await;
    assert_eq!(kind(larger), Some(ErrorKind::Invalid));
    assert_eq!(rig.head(key).await, None);
    if !rig.largest {
        return;
    }
    let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
    rig.put(key, &Put::new(bytes.clone())).await;
    let read = rig.get(key).await.unwrap_or_else(|| panic!("{key} is not there"));
    assert!(read.bytes == bytes, "{} bytes came back", read.bytes.len());
    assert_eq!(rig.head(key).await.map(|head| head.size), Some(LARGEST));
    rig.delete(key).await;
}

/// The second writer is refused, and the first one's bytes stay.
pub async fn only_if_absent_keeps_the_first(rig: &ObjectRig) {
    let (key, mut wrong) = ("absent/anchor", Wrong::default());
    rig.delete(key).await;
    sure(key, rig.objects().put(&rig.bucket, key, &absent("first")).await);
    for text in ["first", "second"] {
        let second = kind(rig.objects().put(&rig.bucket, key, &absent(text)).await);
        let refused = second == Some(ErrorKind::PreconditionFailed);
        wrong.unless("refused", refused, || format!("{text}: {second:?}"));
    }
    let kept = rig.text(key).await;
    wrong.unless("kept", kept.as_deref() == Some("first"), || format!("{kept:?}"));
    rig.delete(key).await;
    sure("after it was deleted", rig.objects().put(&rig.bucket, key, &absent("third")).await);
    wrong.settle(rig, "only_if_absent_keeps_the_first");
}

/// A writer replaces only what it has seen.
pub async fn only_if_it_matches_replaces_what_was_seen(rig: &ObjectRig) {
    let (key, mut wrong) = ("match/counter", Wrong::default());
    let matches = |tag: &ETag, text: &str| Put {
        only_if: Condition::Matches(tag.clone()),
        ..Put::new(text.to_owned())
    };
    let first = rig.put(key, &Put::new("1")).await;
    let second = sure(key, rig.objects().put(&rig.bucket, key, &matches(&first, "2")).await);
    assert_ne!(first, second);
    let late = kind(rig.objects().put(&rig.bucket, key, &matches(&first, "late")).await);
    wrong.unless("refused", late == Some(ErrorKind::PreconditionFailed), || format!("{late:?}"));
    let kept = rig.text(key).await;
    wrong.unless("kept", kept.as_deref() == Some("2"), || format!("{kept:?}"));
    rig.delete(key).await;
    // What is not there matches nothing.
    let gone = kind(rig.objects().put(&rig.bucket, key, &matches(&second, "3")).await);
    let refused = gone == Some(ErrorKind::PreconditionFailed);
    wrong.unless("of what is gone", refused, || format!("{gone:?}"));
    let there = rig.head(key).await;
    wrong.unless("of what is gone", there.is_none(), || "it was written".to_owned());
    wrong.settle(rig, "only_if_it_matches_replaces_what_was_seen");
}

/// Names that are easily spoiled on the way, behind the prefix of a check.
const ODD: &[&str] = &[
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "%",
    "ü/ñ/日本",
    "💍",
    "a//b",
    "/a",
    "a/",
    "a?b=c&d#e",
    "<&>\"'`",
    "~!*()',;:@$=[]{}|^",
    "a.b..c",
    ".a",
];

/// Every name is one object, and no two of them are the same.
pub async fn odd_names_are_names(rig: &ObjectRig) {
    let mut wrong = Wrong::default();
    let keys: BTreeMap<String, &str> = ODD.iter().map(|odd| (format!("odd/{odd}"), *odd)).collect();
    let keys: BTreeMap<String, &str> = keys.into_iter().chain([("/odd".to_owned(), "leading /")]).collect();
    let mut written = BTreeMap::new();
    for (key, odd) in &keys {
        match rig.objects().put(&rig.bucket, key, &Put::new(key.clone())).await {
            Ok(etag) => drop(written.insert(key.clone(), etag)),
            Err(error) => wrong.unless(odd, false, || format!("{error:?}")),
        }
    }
    let listed = rig.list(&Query { prefix: "odd/".to_owned(), ..Query::default() }).await.objects;
    let leading = rig.list(&Query { prefix: "/odd".to_owned(), ..Query::default() }).await.objects;
    let listed: BTreeMap<_, _> =
        listed.into_iter().chain(leading).map(|one| (one.key.clone(), one)).collect();
    for (key, etag) in &written {
        let read = rig.objects().get(&rig.bucket, key, &Get::default()).await;
        let same = matches!(&read, Ok(Some(object)) if object.bytes == *key && object.head.etag == *etag);
        wrong.unless(keys[key], same, || format!("read: {read:?}"));
        let shown = listed.get(key).map(|one| (one.size, &one.etag));
        wrong.unless(keys[key], shown == Some((key.len() as u64, etag)), || format!("listed: {shown:?}"));
    }
    let strangers: Vec<_> = listed.keys().filter(|key| !written.contains_key(*key)).collect();
    assert!(strangers.is_empty(), "names that no one wrote: {strangers:?}");
    for (key, odd) in &keys {
        let deleted = rig.objects().delete(&rig.bucket, key, None).await;
        let gone = deleted.is_ok() && matches!(rig.objects().head(&rig.bucket, key).await, Ok(None));
        wrong.unless(odd, gone, || format!("deleted: {deleted:?}"));
    }
    wrong.settle(rig, "odd_names_are_names");
}

/// Listings of several pages have all of it and nothing twice, with and without a delimiter, in order.
pub async fn listings_go_to_the_end(rig: &ObjectRig) {
    let mut wrong = Wrong::default();
    let prefix = "list/";
    let mut keys: Vec<String> = (0..7).map(|n| format!("list/{n} +%&ü")).collect();
    keys.extend((0..3).flat_map(|folder| (0..3).map(move |n| format!("list/folder {folder}//{n}"))));
    keys.push("list".to_owned());
    for key in &keys {
        rig.put(key, &Put::new(key.clone())).await;
    }
    let own: BTreeSet<&str> = keys.iter().map(String::as_str).filter(|key| key.starts_with(prefix)).collect();
    let query = |delimiter: Option<&str>, page| Query {
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        page,
    };
    for page in [None, Some(3)] {
        let all = rig.list(&query(None, page)).await;
        let names: Vec<&str> = all.objects.iter().map(|one| one.key.as_str()).collect();
        assert!(names.iter().copied().eq(own.iter().copied()), "{names:?}");
        assert!(all.objects.iter().all(|one| one.size == one.key.len() as u64 && one.modified.is_some()));
        assert!(all.prefixes.is_empty(), "{:?}", all.prefixes);
        if page.is_some() {
            wrong.unless("pages", all.pages >= 6, || format!("16 objects by 3 in {} pages", all.pages));
        }
    }
    for (delimiter, page) in [("/", None), ("/", Some(2)), ("//", Some(1)), ("lder", Some(2))] {
        let told = rig.list(&query(Some(delimiter), page)).await;
        let mut names = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        for key in &own {
            match key[prefix.len()..].find(delimiter) {
                Some(at) => prefixes.insert(&key[..prefix.len() + at + delimiter.len()]),
                None => names.insert(*key),
            };
        }
        let found: Vec<&str> = told.objects.iter().map(|one| one.key.as_str()).collect();
        let said: Vec<&str> = told.prefixes.iter().map(String::as_str).collect();
        let same = found.iter().copied().eq(names.iter().copied()) && said.iter().copied().eq(prefixes);
        wrong.unless(&format!("delimiter {delimiter}"), same, || format!("{page:?}: {found:?} and {said:?}"));
        let several = page.is_none() || told.pages > 1;
        wrong.unless("pages", several, || format!("{delimiter}: one page"));
    }
    let nothing = rig.list(&Query { prefix: "list/nothing".to_owned(), ..Query::default() }).await;
    assert_eq!((nothing.objects, nothing.prefixes), (vec![], vec![]));
    wrong.settle(rig, "listings_go_to_the_end");
}

/// A missing object is nothing, a missing bucket is an error.
pub async fn what_is_missing_is_missing(rig: &ObjectRig) {
    assert_eq!(rig.get("missing/object").await, None);
    assert_eq!(rig.head("missing/object").await, None);
    let (objects, nowhere) = (rig.objects(), &rig.no_bucket);
    let missing = Some(ErrorKind::NotFound);
    assert_eq!(kind(objects.get(nowhere, "x", &Get::default()).await), missing, "get");
    assert_eq!(kind(objects.head(nowhere, "x").await), missing, "head");
    assert_eq!(kind(objects.put(nowhere, "x", &Put::new("x")).await), missing, "put");
    assert_eq!(kind(objects.delete(nowhere, "x", None).await), missing, "delete");
    let listed = objects.list(nowhere, &Query::default(), &mut Collected::default()).await;
    assert_eq!(kind(listed), missing, "list");
    let nonsense = Bucket { native_id: "no such form of id".to_owned(), ..rig.bucket.clone() };
    assert_eq!(kind(objects.head(&nonsense, "x").await), Some(ErrorKind::Invalid));
    assert_eq!(kind(objects.head(&rig.bucket, "a/../x").await), Some(ErrorKind::Invalid));
}

/// What is gone is gone, however often it is deleted; under a condition only what was seen goes.
pub async fn deleting_twice_is_deleting(rig: &ObjectRig) {
    let (key, mut wrong) = ("delete/me", Wrong::default());
    let first = rig.put(key, &Put::new("1")).await;
    let second = rig.put(key, &Put::new("2")).await;
    let stale = kind(rig.objects().delete(&rig.bucket, key, Some(&first)).await);
    wrong.unless("stale tag", stale == Some(ErrorKind::PreconditionFailed), || format!("{stale:?}"));
    let kept = rig.text(key).await;
    wrong.unless("stale tag", kept.as_deref() == Some("2"), || format!("{kept:?}"));
    sure("with its tag", rig.objects().delete(&rig.bucket, key, Some(&second)).await);
    assert_eq!(rig.head(key).await, None);
    rig.delete(key).await;
    rig.delete("delete/never-was").await;
    sure("of what is gone", rig.objects().delete(&rig.bucket, key, Some(&second)).await);
    wrong.settle(rig, "deleting_twice_is_deleting");
}

/// Of many who write at the same time under a condition one succeeds, and it is that one's bytes that are there.
pub async fn one_writer_wins(rig: &ObjectRig) {
    let (key, mut wrong) = ("race/leader", Wrong::default());
    rig.delete(key).await;
    for round in 0..3 {
        let before = rig.head(key).await.map(|head| head.etag);
        let only_if = before.map_or(Condition::Absent, Condition::Matches);
        let puts: Vec<_> = (0..8)
            .map(|n| Put { only_if: only_if.clone(), ..Put::new(format!("round {round} writer {n}")) })
            .collect();
        let results =
            futures::future::join_all(puts.iter().map(|put| rig.objects().put(&rig.bucket, key, put))).await;
        let winners: Vec<usize> = (0..8).filter(|n| results[*n].is_ok()).collect();
        wrong.unless("one", winners.len() == 1, || format!("round {round}: {winners:?} won"));
        let others = results.iter().filter_map(|result| result.as_ref().err());
        let refused = others.map(|error| error.kind).all(|kind| kind == ErrorKind::PreconditionFailed);
        assert!(refused, "{results:?}");
        let there = rig.text(key).await;
        let won = winners.first().map(|n| format!("round {round} writer {n}"));
        wrong.unless("one", there == won, || format!("{won:?} won, and {there:?} is there"));
    }
    wrong.settle(rig, "one_writer_wins");
}

/// A conditional write whose answer was lost has succeeded; what someone else wrote is still a refusal.
pub async fn a_lost_answer_is_found_out(rig: &ObjectRig) {
    let (key, mut wrong) = ("lost/anchor", Wrong::default());
    let (cloud, to_lose) = &rig.lossy;
    let lossy = objects(&**cloud);
    rig.delete(key).await;
    to_lose.store(1, Ordering::SeqCst);
    let first = sure("the first", lossy.put(&rig.bucket, key, &absent("mine")).await);
    assert_eq!(to_lose.load(Ordering::SeqCst), 0, "no answer was lost");
    assert_eq!(rig.head(key).await.map(|head| head.etag), Some(first.clone()));
    to_lose.store(1, Ordering::SeqCst);
    let next = Put { only_if: Condition::Matches(first), ..Put::new("mine again") };
    sure("the next", lossy.put(&rig.bucket, key, &next).await);
    assert_eq!(rig.text(key).await.as_deref(), Some("mine again"));
    to_lose.store(1, Ordering::SeqCst);
    let theirs = kind(lossy.put(&rig.bucket, key, &absent("another's")).await);
    let refused = theirs == Some(ErrorKind::PreconditionFailed);
    wrong.unless("someone else's", refused, || format!("{theirs:?}"));
    let kept = rig.text(key).await;
    wrong.unless("someone else's", kept.as_deref() == Some("mine again"), || format!("{kept:?}"));
    to_lose.store(1, Ordering::SeqCst);
    sure("delete", lossy.delete(&rig.bucket, key, None).await);
    assert_eq!(rig.head(key).await, None);
    wrong.settle(rig, "a_lost_answer_is_found_out");
}

/// Where a bucket has containers, the rig's is one of them; where it has none, none is asked for.
pub async fn containers_are_named(rig: &ObjectRig) {
    let named = sure("containers", rig.objects().containers(&rig.bucket).await);
    match (named, &rig.bucket.container) {
        (None, None) => {}
        (Some(named), Some(container)) => assert!(named.contains(container), "{named:?}"),
        other => panic!("{other:?}"),
    }
    let spoiled = match rig.bucket.container {
        Some(_) => Bucket { container: None, ..rig.bucket.clone() },
        None => Bucket { container: Some("data".to_owned()), ..rig.bucket.clone() },
    };
    assert_eq!(kind(rig.objects().head(&spoiled, "x").await), Some(ErrorKind::Invalid));
}

/// Objects are as closed as all else.
pub async fn a_wrong_secret_reaches_no_object(rig: &ObjectRig) {
    let mut wrong = Wrong::default();
    wrong.unless("asked", rig.wrong_secret.is_some(), || "asks for no credentials".to_owned());
    wrong.settle(rig, "a_wrong_secret_reaches_no_object");
    let Some(cloud) = &rig.wrong_secret else { return };
    let (key, objects) = ("closed/x", objects(&**cloud));
    let refused = Some(ErrorKind::Unauthenticated);
    assert_eq!(kind(objects.get(&rig.bucket, key, &Get::default()).await), refused, "get");
    assert_eq!(kind(objects.put(&rig.bucket, key, &Put::new("x")).await), refused, "put");
    assert_eq!(kind(objects.delete(&rig.bucket, key, None).await), refused, "delete");
    let listed = objects.list(&rig.bucket, &Query::default(), &mut Collected::default()).await;
    assert_eq!(kind(listed), refused, "list");
}
