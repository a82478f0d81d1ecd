//! Walking through pages: while the sink takes one the next is fetched, and no more than that one, so that memory stays
//! flat and the cloud is never waited for twice.

use std::future::Future;

use crate::{CloudError, ErrorKind, Page, PageSink};

/// Hands every page to the sink until the cloud says that there are no more. `fetch` takes what the page before named as
/// the next one. A cloud that names the same page twice in a row would never end: that is an error.
pub async fn walk<T, F, Fut>(
    cloud: &'static str,
    operation: &str,
    sink: &mut dyn PageSink,
    fetch: F,
) -> Result<(), CloudError>
where
    T: Clone + PartialEq + Send,
    F: Fn(Option<T>) -> Fut + Send,
    Fut: Future<Output = Result<(Page, Option<T>), CloudError>> + Send,
{
    let (mut page, mut next) = fetch(None).await?;
    while let Some(token) = next {
        let taken = take(cloud, operation, sink, page);
        let fetched = fetch(Some(token.clone()));
        let ((), following) = futures::future::try_join(taken, fetched).await?;
        if following.1.as_ref() == Some(&token) {
            let message = "the same token of the next page came twice";
            return Err(CloudError::new(cloud, operation, ErrorKind::Protocol, message));
        }
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
