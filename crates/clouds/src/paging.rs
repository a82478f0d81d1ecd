//! Walking through pages: while the sink takes one the next is fetched, and no more than that one, so that memory stays
//! flat and the cloud is never waited for twice.

use std::{
    collections::HashSet,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher as _},
};

use crate::{CloudError, ErrorKind, Page, PageSink};

/// The pages that a listing has come by. A cloud that names one of them again would never end.
#[derive(Debug, Default)]
pub struct Seen(HashSet<u64>);

impl Seen {
    /// Notes a page, by its token or link; an error if it was named before.
    pub fn note(
        &mut self,
        cloud: &'static str,
        operation: &str,
        token: &impl Hash,
    ) -> Result<(), CloudError> {
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        if self.0.insert(hasher.finish()) {
            return Ok(());
        }
        let message = "the same next page was named twice";
        Err(CloudError::new(cloud, operation, ErrorKind::Protocol, message))
    }
}

/// Hands every page to the sink until the cloud says that there are no more. `fetch` takes what the page before named as
/// the next one.
pub async fn walk<T, F, Fut>(
    cloud: &'static str,
    operation: &str,
    sink: &mut dyn PageSink,
    fetch: F,
) -> Result<(), CloudError>
where
    T: Hash + Send,
    F: Fn(Option<T>) -> Fut + Send,
    Fut: Future<Output = Result<(Page, Option<T>), CloudError>> + Send,
{
    let (mut page, mut next) = fetch(None).await?;
    let mut seen = Seen::default();
    while let Some(token) = next {
        seen.note(cloud, operation, &token)?;
        let taken = take(cloud, operation, sink, page);
        let fetched = fetch(Some(token));
        let ((), following) = futures::future::try_join(taken, fetched).await?;
        (page, next) = following;
    }
    take(cloud, operation, sink, page).await
}

/// Hands a page to the sink; the sink's own failure ends the listing.
pub async fn take(
    cloud: &'static str,
    operation: &str,
    sink: &mut dyn PageSink,
    page: Page,
) -> Result<(), CloudError> {
    sink.page(page).await.map_err(|cause| {
        CloudError::new(cloud, operation, ErrorKind::Unavailable, "the page could not be taken")
            .with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Page;

    struct Count(usize);

    #[async_trait::async_trait]
    impl PageSink for Count {
        async fn page(&mut self, _: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0 += 1;
            Ok(())
        }
    }

    #[tokio::test]
    async fn pages_in_a_circle_are_an_error_and_not_for_ever() {
        let mut sink = Count(0);
        let next =
            |token: Option<u32>| async move { Ok((Page::default(), Some((token.unwrap_or(0) + 1) % 3))) };
        let error = walk("cloud", "x:List", &mut sink, next).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol);
        assert!(sink.0 <= 4, "{}", sink.0);
    }

    #[tokio::test]
    async fn the_end_is_the_end() {
        let mut sink = Count(0);
        let next = |token: Option<u32>| async move {
            let at = token.unwrap_or(0) + 1;
            Ok((Page::default(), (at < 4).then_some(at)))
        };
        walk("cloud", "x:List", &mut sink, next).await.unwrap();
        assert_eq!(sink.0, 4);
    }
}
