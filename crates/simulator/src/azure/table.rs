//! Every operation and what answers it; every type of resource.

use super::{
    call::{Answer, Call},
    compute, cost, dns,
    error::Outcome,
    groups, insights, network, postgres, storage, subscriptions,
};
use crate::estate::Estate;

/// What answers an operation.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Only reads, and never refuses.
    Tell(fn(&Call<'_>, &Estate) -> Answer),
    /// Only reads.
    Read(fn(&Call<'_>, &Estate) -> Outcome<Answer>),
    /// Changes things.
    Write(fn(&Call<'_>, &mut Estate) -> Outcome<Answer>),
}

use Handler::{Read, Tell, Write};

/// Types of resources that lie in groups, in the order of their listing. A scale set's machines, containers and record
/// sets are listed beneath their parents only.
pub const KINDS: &[&str] = &[
    compute::VM,
    compute::SET,
    compute::DISK,
    compute::SNAPSHOT,
    compute::IMAGE,
    network::VNET,
    network::NSG,
    network::ADDRESS,
    network::NIC,
    network::BALANCER,
    dns::ZONE,
    postgres::SERVER,
    storage::ACCOUNT,
];

/// Types of resources that lie in others.
pub const INNER: &[&str] =
    &[compute::SET_VM, network::SUBNET, dns::RECORDS, postgres::BACKUP, storage::SERVICE, storage::CONTAINER];

/// The handler of an operation.
pub fn handler(operation: &str) -> Option<Handler> {
    let found = HANDLERS.iter().find(|(name, _)| *name == operation);
    found.map(|(_, handler)| *handler)
}

/// Versions that the types of a provider are shown with.
pub fn versions(namespace: &str) -> &'static [&'static str] {
    match namespace {
        "Microsoft.Compute" => {
            &["2026-04-01", "2026-03-02", "2025-04-01", "2024-11-01", "2024-07-01", "2024-03-02"]
        }
        "Microsoft.Network" => &["2026-03-01", "2025-01-01", "2024-05-01", "2023-11-01", "2018-05-01"],
        "Microsoft.DBforPostgreSQL" => &["2026-10-01", "2025-08-01", "2024-08-01", "2022-12-01"],
        "Microsoft.Storage" => &["2026-09-01", "2025-01-01", "2024-01-01", "2023-05-01", "2023-01-01"],
        _ => &["2025-04-01"],
    }
}

/// All operations.
pub const HANDLERS: &[(&str, Handler)] = &[
    ("Microsoft.Subscriptions/subscriptions_list", Tell(subscriptions::list)),
    ("Microsoft.Subscriptions/subscriptions_get", Tell(subscriptions::get)),
    ("Microsoft.Subscriptions/subscriptions_listLocations", Tell(subscriptions::locations)),
    ("Microsoft.Resources/resourceGroups_get", Read(groups::get)),
    ("Microsoft.Resources/resourceGroups_checkExistence", Read(groups::head)),
    ("Microsoft.Resources/resourceGroups_createOrUpdate", Write(groups::put)),
    ("Microsoft.Resources/resourceGroups_update", Write(groups::patch)),
    ("Microsoft.Resources/resourceGroups_delete", Write(groups::delete)),
    ("Microsoft.Resources/resourceGroups_list", Read(groups::list)),
    ("Microsoft.Resources/resources_list", Read(groups::resources)),
    ("Microsoft.Resources/resources_listByResourceGroup", Read(groups::resources)),
    ("Microsoft.Resources/providers_list", Tell(subscriptions::providers)),
    ("Microsoft.Resources/providers_get", Read(subscriptions::provider)),
    ("Microsoft.Resources/providers_register", Read(subscriptions::provider)),
    ("Microsoft.Resources/tags_getAtScope", Read(groups::tags)),
    ("Microsoft.Resources/tags_createOrUpdateAtScope", Write(groups::put_tags)),
    ("Microsoft.Resources/tags_updateAtScope", Write(groups::put_tags)),
    ("Microsoft.Authorization/permissions_listForResourceGroup", Read(subscriptions::permissions)),
    ("Microsoft.Authorization/permissions_listForResource", Read(subscriptions::permissions)),
    ("Microsoft.Compute/virtualMachines_get", Read(compute::vm::get)),
    ("Microsoft.Compute/virtualMachines_createOrUpdate", Write(compute::vm::put)),
    ("Microsoft.Compute/virtualMachines_update", Write(compute::vm::patch)),
    ("Microsoft.Compute/virtualMachines_delete", Write(compute::vm::delete)),
    ("Microsoft.Compute/virtualMachines_list", Read(compute::vm::list)),
    ("Microsoft.Compute/virtualMachines_listAll", Read(compute::vm::list)),
    ("Microsoft.Compute/virtualMachines_instanceView", Read(compute::view::get)),
    ("Microsoft.Compute/virtualMachines_powerOff", Write(compute::power::power_off)),
    ("Microsoft.Compute/virtualMachines_deallocate", Write(compute::power::deallocate)),
    ("Microsoft.Compute/virtualMachines_start", Write(compute::power::start)),
    ("Microsoft.Compute/virtualMachines_restart", Write(compute::power::restart)),
    ("Microsoft.Compute/virtualMachines_listAvailableSizes", Read(compute::vm::available_sizes)),
    ("Microsoft.Compute/virtualMachineScaleSets_get", Read(compute::scale_set::get)),
    ("Microsoft.Compute/virtualMachineScaleSets_createOrUpdate", Write(compute::scale_set::put)),
    ("Microsoft.Compute/virtualMachineScaleSets_update", Write(compute::scale_set::patch)),
    ("Microsoft.Compute/virtualMachineScaleSets_delete", Write(compute::scale_set::delete)),
    ("Microsoft.Compute/virtualMachineScaleSets_list", Read(compute::scale_set::list)),
    ("Microsoft.Compute/virtualMachineScaleSets_listAll", Read(compute::scale_set::list)),
    ("Microsoft.Compute/virtualMachineScaleSets_getInstanceView", Read(compute::scale_set::view)),
    ("Microsoft.Compute/virtualMachineScaleSetVMs_list", Read(compute::set_instance::list)),
    ("Microsoft.Compute/virtualMachineScaleSetVMs_get", Read(compute::set_instance::get)),
    ("Microsoft.Compute/disks_get", Read(compute::disk::get)),
    ("Microsoft.Compute/disks_createOrUpdate", Write(compute::disk::put)),
    ("Microsoft.Compute/disks_update", Write(compute::disk::patch)),
    ("Microsoft.Compute/disks_delete", Write(compute::disk::delete)),
    ("Microsoft.Compute/disks_list", Read(compute::disk::list)),
    ("Microsoft.Compute/disks_listByResourceGroup", Read(compute::disk::list)),
    ("Microsoft.Compute/snapshots_get", Read(compute::snapshot::get)),
    ("Microsoft.Compute/snapshots_createOrUpdate", Write(compute::snapshot::put)),
    ("Microsoft.Compute/snapshots_update", Write(compute::snapshot::patch)),
    ("Microsoft.Compute/snapshots_delete", Write(compute::snapshot::delete)),
    ("Microsoft.Compute/snapshots_list", Read(compute::snapshot::list)),
    ("Microsoft.Compute/snapshots_listByResourceGroup", Read(compute::snapshot::list)),
    ("Microsoft.Compute/images_get", Read(compute::image::get)),
    ("Microsoft.Compute/images_createOrUpdate", Write(compute::image::put)),
    ("Microsoft.Compute/images_update", Write(compute::image::patch)),
    ("Microsoft.Compute/images_delete", Write(compute::image::delete)),
    ("Microsoft.Compute/images_list", Read(compute::image::list)),
    ("Microsoft.Compute/images_listByResourceGroup", Read(compute::image::list)),
    ("Microsoft.Compute/resourceSkus_list", Read(compute::skus::list)),
    ("Microsoft.Compute/usage_list", Read(compute::quota::usages)),
    ("Microsoft.Network/virtualNetworks_get", Read(network::vnet::get)),
    ("Microsoft.Network/virtualNetworks_createOrUpdate", Write(network::vnet::put)),
    ("Microsoft.Network/virtualNetworks_delete", Write(network::vnet::delete)),
    ("Microsoft.Network/virtualNetworks_updateTags", Write(network::vnet::patch)),
    ("Microsoft.Network/virtualNetworks_list", Read(network::vnet::list)),
    ("Microsoft.Network/virtualNetworks_listAll", Read(network::vnet::list)),
    ("Microsoft.Network/subnets_get", Read(network::subnet::get)),
    ("Microsoft.Network/subnets_createOrUpdate", Write(network::subnet::put)),
    ("Microsoft.Network/subnets_delete", Write(network::subnet::delete)),
    ("Microsoft.Network/subnets_list", Read(network::subnet::list)),
    ("Microsoft.Network/networkSecurityGroups_get", Read(network::nsg::get)),
    ("Microsoft.Network/networkSecurityGroups_createOrUpdate", Write(network::nsg::put)),
    ("Microsoft.Network/networkSecurityGroups_delete", Write(network::nsg::delete)),
    ("Microsoft.Network/networkSecurityGroups_updateTags", Write(network::nsg::patch)),
    ("Microsoft.Network/networkSecurityGroups_list", Read(network::nsg::list)),
    ("Microsoft.Network/networkSecurityGroups_listAll", Read(network::nsg::list)),
    ("Microsoft.Network/publicIPAddresses_get", Read(network::address::get)),
    ("Microsoft.Network/publicIPAddresses_createOrUpdate", Write(network::address::put)),
    ("Microsoft.Network/publicIPAddresses_delete", Write(network::address::delete)),
    ("Microsoft.Network/publicIPAddresses_updateTags", Write(network::address::patch)),
    ("Microsoft.Network/publicIPAddresses_list", Read(network::address::list)),
    ("Microsoft.Network/publicIPAddresses_listAll", Read(network::address::list)),
    ("Microsoft.Network/networkInterfaces_get", Read(network::nic::get)),
    ("Microsoft.Network/networkInterfaces_createOrUpdate", Write(network::nic::put)),
    ("Microsoft.Network/networkInterfaces_delete", Write(network::nic::delete)),
    ("Microsoft.Network/networkInterfaces_updateTags", Write(network::nic::patch)),
    ("Microsoft.Network/networkInterfaces_list", Read(network::nic::list)),
    ("Microsoft.Network/networkInterfaces_listAll", Read(network::nic::list)),
    ("Microsoft.Network/loadBalancers_get", Read(network::balancer::get)),
    ("Microsoft.Network/loadBalancers_createOrUpdate", Write(network::balancer::put)),
    ("Microsoft.Network/loadBalancers_delete", Write(network::balancer::delete)),
    ("Microsoft.Network/loadBalancers_updateTags", Write(network::balancer::patch)),
    ("Microsoft.Network/loadBalancers_list", Read(network::balancer::list)),
    ("Microsoft.Network/loadBalancers_listAll", Read(network::balancer::list)),
    ("Microsoft.Network/usages_list", Read(network::usages)),
    ("Microsoft.Network.dnsZones/zones_get", Read(dns::zones::get)),
    ("Microsoft.Network.dnsZones/zones_createOrUpdate", Write(dns::zones::put)),
    ("Microsoft.Network.dnsZones/zones_update", Write(dns::zones::patch)),
    ("Microsoft.Network.dnsZones/zones_delete", Write(dns::zones::delete)),
    ("Microsoft.Network.dnsZones/zones_list", Read(dns::zones::list)),
    ("Microsoft.Network.dnsZones/zones_listByResourceGroup", Read(dns::zones::list)),
    ("Microsoft.Network.dnsZones/recordSets_get", Read(dns::records::get)),
    ("Microsoft.Network.dnsZones/recordSets_createOrUpdate", Write(dns::records::put)),
    ("Microsoft.Network.dnsZones/recordSets_update", Write(dns::records::patch)),
    ("Microsoft.Network.dnsZones/recordSets_delete", Write(dns::records::delete)),
    ("Microsoft.Network.dnsZones/recordSets_listByType", Read(dns::records::list)),
    ("Microsoft.Network.dnsZones/recordSets_listByDnsZone", Read(dns::records::list)),
    ("Microsoft.Network.dnsZones/recordSets_listAllByDnsZone", Read(dns::records::list)),
    ("Microsoft.DBforPostgreSQL/servers_get", Read(postgres::server::get)),
    ("Microsoft.DBforPostgreSQL/servers_createOrUpdate", Write(postgres::server::put)),
    ("Microsoft.DBforPostgreSQL/servers_update", Write(postgres::change::patch)),
    ("Microsoft.DBforPostgreSQL/servers_delete", Write(postgres::server::delete)),
    ("Microsoft.DBforPostgreSQL/servers_listByResourceGroup", Read(postgres::server::list)),
    ("Microsoft.DBforPostgreSQL/servers_listBySubscription", Read(postgres::server::list)),
    ("Microsoft.DBforPostgreSQL/servers_start", Write(postgres::change::start)),
    ("Microsoft.DBforPostgreSQL/servers_stop", Write(postgres::change::stop)),
    ("Microsoft.DBforPostgreSQL/servers_restart", Write(postgres::change::restart)),
    ("Microsoft.DBforPostgreSQL/backupsAutomaticAndOnDemand_get", Read(postgres::backups::get)),
    ("Microsoft.DBforPostgreSQL/backupsAutomaticAndOnDemand_create", Write(postgres::backups::put)),
    ("Microsoft.DBforPostgreSQL/backupsAutomaticAndOnDemand_delete", Write(postgres::backups::delete)),
    ("Microsoft.DBforPostgreSQL/backupsAutomaticAndOnDemand_listByServer", Read(postgres::backups::list)),
    ("Microsoft.DBforPostgreSQL/replicas_listByServer", Read(postgres::server::replicas)),
    ("Microsoft.DBforPostgreSQL/capabilitiesByLocation_list", Read(postgres::capabilities::list)),
    ("Microsoft.DBforPostgreSQL/nameAvailability_checkGlobally", Tell(postgres::capabilities::name)),
    ("Microsoft.DBforPostgreSQL/quotaUsages_list", Read(postgres::capabilities::usages)),
    ("Microsoft.Storage/storageAccounts_checkNameAvailability", Tell(storage::account::name)),
    ("Microsoft.Storage/storageAccounts_getProperties", Read(storage::account::get)),
    ("Microsoft.Storage/storageAccounts_create", Write(storage::account::put)),
    ("Microsoft.Storage/storageAccounts_update", Write(storage::account::patch)),
    ("Microsoft.Storage/storageAccounts_delete", Write(storage::account::delete)),
    ("Microsoft.Storage/storageAccounts_list", Read(storage::account::list)),
    ("Microsoft.Storage/storageAccounts_listByResourceGroup", Read(storage::account::list)),
    ("Microsoft.Storage/storageAccounts_listKeys", Read(storage::account::keys)),
    ("Microsoft.Storage/usages_listByLocation", Read(storage::account::usages)),
    ("Microsoft.Storage/blobServices_getServiceProperties", Read(storage::blobs::service)),
    ("Microsoft.Storage/blobServices_setServiceProperties", Write(storage::blobs::put_service)),
    ("Microsoft.Storage/blobServices_list", Read(storage::blobs::services)),
    ("Microsoft.Storage/blobContainers_get", Read(storage::blobs::get)),
    ("Microsoft.Storage/blobContainers_create", Write(storage::blobs::put)),
    ("Microsoft.Storage/blobContainers_update", Write(storage::blobs::patch)),
    ("Microsoft.Storage/blobContainers_delete", Write(storage::blobs::delete)),
    ("Microsoft.Storage/blobContainers_list", Read(storage::blobs::list)),
    ("Microsoft.Insights/metrics_list", Read(insights::metrics)),
    ("Microsoft.Insights/metricDefinitions_list", Read(insights::definitions)),
    ("Microsoft.CostManagement/query_usage", Read(cost::query::answer)),
    ("Microsoft.CostManagement/forecast_usage", Read(cost::forecast::answer)),
];
