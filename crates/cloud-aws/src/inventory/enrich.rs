//! What a listing's own answer lacks and another call has: facts of instance types, tags and targets.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use marquee_clouds::{CloudError, ErrorKind, Observed};
use marquee_types::resource::Relation;
use tokio::sync::OnceCell;

use crate::{
    inventory::{
        draft::{relation_to, tags},
        elb,
        listing::{Enrich, Lister},
    },
    partition::Arn,
    query::{EC2, ELB, Params, unreadable},
    xml::{Node, Shape, Step, Walk},
};

/// What is known of instance types, by region. Types do not change, so it is kept as long as the connection.
#[derive(Debug, Default)]
pub struct TypeCatalog(Mutex<HashMap<(String, String), TypeFacts>>);

#[derive(Debug, Clone, Copy)]
struct TypeFacts {
    vcpus: u64,
    memory_mib: u64,
}

/// Asks for what one listing lacks.
#[derive(Debug)]
pub struct Enricher<'a> {
    pub types: &'a TypeCatalog,
    /// By the ARN of a load balancer, the ARNs of its target groups; asked once a listing.
    routes: OnceCell<HashMap<String, Vec<String>>>,
}

/// So many instance types are asked for at once; a filter takes 200 values.
const TYPES_AT_ONCE: usize = 100;
/// DescribeTags takes no more ARNs.
const TAGGED_AT_ONCE: usize = 20;
/// So many target groups are asked for their targets at the same time.
const HEALTH_AT_ONCE: usize = 4;

pub static INSTANCE_TYPES: Shape = Shape {
    action: "DescribeInstanceTypes",
    items: &["instanceTypeSet", "item"],
    group: None,
    token: Some((0, "nextToken")),
};
pub static TAGS: Shape = Shape {
    action: "DescribeTags",
    items: &["DescribeTagsResult", "TagDescriptions", "member"],
    group: None,
    token: None,
};
pub static TARGET_HEALTH: Shape = Shape {
    action: "DescribeTargetHealth",
    items: &["DescribeTargetHealthResult", "TargetHealthDescriptions", "member"],
    group: None,
    token: None,
};

impl<'a> Enricher<'a> {
    /// For one listing or look-up.
    pub fn new(types: &'a TypeCatalog) -> Self {
        Self { types, routes: OnceCell::new() }
    }

    /// Adds to each resource what its listing asks for.
    pub async fn enrich(&self, lister: &Lister<'_>, resources: &mut [Observed]) -> Result<(), CloudError> {
        if resources.is_empty() {
            return Ok(());
        }
        match lister.listing.enrich {
            Enrich::Nothing => Ok(()),
            Enrich::InstanceTypes => self.types.fill(lister, resources).await,
            Enrich::LoadBalancers => {
                add_tags(lister, resources).await?;
                self.add_routes(lister, resources).await
            }
            Enrich::TargetGroups => {
                add_tags(lister, resources).await?;
                add_targets(lister, resources).await
            }
        }
    }

    /// Adds the target groups that each load balancer routes to; only the groups know.
    async fn add_routes(&self, lister: &Lister<'_>, balancers: &mut [Observed]) -> Result<(), CloudError> {
        let routes = self.routes.get_or_try_init(|| routes_by_balancer(lister)).await?;
        for balancer in balancers {
            let groups = routes.get(&balancer.native_id).into_iter().flatten();
            balancer
                .relations
                .extend(groups.filter_map(|group| relation_to(Relation::RoutesTo, group.clone())));
            balancer.relations.sort_unstable();
        }
        Ok(())
    }
}

impl TypeCatalog {
    /// Adds vCPUs and memory to each instance whose type AWS describes. Without the permission they are absent.
    async fn fill(&self, lister: &Lister<'_>, instances: &mut [Observed]) -> Result<(), CloudError> {
        let region = lister.place.region;
        let unknown: BTreeSet<String> = instances
            .iter()
            .filter_map(|instance| instance.size.clone())
            .filter(|size| self.facts(region, size).is_none())
            .collect();
        let unknown: Vec<String> = unknown.into_iter().collect();
        for some in unknown.chunks(TYPES_AT_ONCE) {
            match self.learn(lister, some).await {
                Err(error) if error.kind == ErrorKind::PermissionDenied => break,
                learned => learned?,
            }
        }
        for instance in instances {
            let facts = instance.size.as_deref().and_then(|size| self.facts(region, size));
            if let Some(TypeFacts { vcpus, memory_mib }) = facts {
                instance.attributes.insert("vcpus".to_owned(), vcpus.into());
                instance.attributes.insert("memory_mib".to_owned(), memory_mib.into());
            }
        }
        Ok(())
    }

    fn facts(&self, region: &str, size: &str) -> Option<TypeFacts> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(region.to_owned(), size.to_owned())).copied()
    }

    /// Asks with a filter: asked by name, one retired type would fail the call.
    async fn learn(&self, lister: &Lister<'_>, sizes: &[String]) -> Result<(), CloudError> {
        let mut params: Params = vec![("Filter.1.Name".to_owned(), "instance-type".to_owned())];
        params.extend(numbered("Filter.1.Value", sizes));
        let region = lister.place.region;
        let text = lister.client.call(&EC2, region, INSTANCE_TYPES.action, &params, lister.tally).await?;
        let mut known = Vec::new();
        each(&text, INSTANCE_TYPES, |node| {
            let number = |outer, name| node.get_in(outer, name).and_then(|text| text.parse::<u64>().ok());
            let (vcpus, memory) = (number("vCpuInfo", "defaultVCpus"), number("memoryInfo", "sizeInMiB"));
            if let (Some(size), Some(vcpus), Some(memory_mib)) = (node.get("instanceType"), vcpus, memory) {
                known.push(((region.to_owned(), size.to_owned()), TypeFacts { vcpus, memory_mib }));
            }
        })?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(known);
        Ok(())
    }
}

async fn add_tags(lister: &Lister<'_>, resources: &mut [Observed]) -> Result<(), CloudError> {
    let mut by_arn: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for some in resources.chunks(TAGGED_AT_ONCE) {
        let arns: Vec<String> = some.iter().map(|resource| resource.native_id.clone()).collect();
        let params: Params = numbered("ResourceArns.member", &arns).collect();
        let text = lister.client.call(&ELB, lister.place.region, TAGS.action, &params, lister.tally).await?;
        each(&text, TAGS, |node| {
            if let Some(arn) = node.get("ResourceArn") {
                let mut found = tags(node, "Tags", "Key", "Value");
                found.sort_unstable();
                by_arn.insert(arn.to_owned(), found);
            }
        })?;
    }
    for resource in resources {
        resource.tags = by_arn.remove(&resource.native_id).unwrap_or_default();
    }
    Ok(())
}

async fn routes_by_balancer(lister: &Lister<'_>) -> Result<HashMap<String, Vec<String>>, CloudError> {
    let mut routes: HashMap<String, Vec<String>> = HashMap::new();
    let mut token: Option<String> = None;
    loop {
        let mut params: Params = vec![("PageSize".to_owned(), "400".to_owned())];
        params.extend(token.map(|token| ("Marker".to_owned(), token)));
        let shape = elb::TARGET_GROUPS.shape;
        let text = lister.client.call(&ELB, lister.place.region, shape.action, &params, lister.tally).await?;
        token = each(&text, shape, |node| {
            let Some(group) = node.get("TargetGroupArn") else { return };
            for balancer in node.list("LoadBalancerArns") {
                routes.entry(balancer.text().to_owned()).or_default().push(group.to_owned());
            }
        })?;
        if token.is_none() {
            return Ok(routes);
        }
    }
}

async fn add_targets(lister: &Lister<'_>, groups: &mut [Observed]) -> Result<(), CloudError> {
    let questions: Vec<_> =
        groups.iter().map(|group| targets(lister, group.native_id.clone()).boxed()).collect();
    let found: Vec<_> = stream::iter(questions).buffered(HEALTH_AT_ONCE).try_collect().await?;
    for (group, targets) in groups.iter_mut().zip(found) {
        let Some(targets) = targets else { continue };
        let type_ = group
            .attributes
            .get("target_type")
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned();
        group.attributes.insert("targets".to_owned(), targets.len().into());
        for id in targets {
            let target = match type_.as_str() {
                "instance" => lister.place.arn("ec2", "instance", &id),
                _ if Arn::parse(&id).is_some() => id,
                // An address belongs to no resource by itself.
                _ => continue,
            };
            group.relations.extend(relation_to(Relation::RoutesTo, target));
        }
        group.relations.sort_unstable();
        group.relations.dedup();
    }
    Ok(())
}

/// The ids of a group's targets; `None` if the group is gone by now.
async fn targets(lister: &Lister<'_>, arn: String) -> Result<Option<Vec<String>>, CloudError> {
    let params: Params = vec![("TargetGroupArn".to_owned(), arn)];
    let region = lister.place.region;
    let text = match lister.client.call(&ELB, region, TARGET_HEALTH.action, &params, lister.tally).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
        answer => answer?,
    };
    let mut ids = BTreeSet::new();
    each(&text, TARGET_HEALTH, |node| ids.extend(node.get_in("Target", "Id").map(str::to_owned)))?;
    Ok(Some(ids.into_iter().collect()))
}

/// Reads each item of a small answer; hands back the token of the next page.
pub(crate) fn each(
    text: &str,
    shape: Shape,
    mut read: impl FnMut(Node<'_, '_>),
) -> Result<Option<String>, CloudError> {
    let mut walk = Walk::new(text, shape);
    loop {
        match walk.step().map_err(|error| unreadable(&error))? {
            Step::Item => walk.item().into_iter().for_each(&mut read),
            Step::Group => {}
            Step::End => return Ok(walk.token()),
        }
    }
}

/// `name.1`, `name.2`, …
fn numbered(name: &str, values: &[String]) -> impl Iterator<Item = (String, String)> {
    values.iter().enumerate().map(move |(index, value)| (format!("{name}.{}", index + 1), value.clone()))
}
