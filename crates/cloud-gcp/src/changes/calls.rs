//! The calls that change something, and those that tell how far it is.

use crate::api::{COMPUTE, Call, DNS, Items, SQL, STORAGE};

/// Declares calls: their API, what stands before `{id}` in their paths, and each one's method and what stands behind.
macro_rules! calls {
    ($api:ident $root:literal $items:expr; $($name:ident = $method:literal $rest:literal;)*) => {
        $(
            pub static $name: Call = Call {
                api: &$api,
                method: $method,
                path: concat!($root, "{id}", $rest),
                query: "",
                items: $items,
            };
        )*
    };
}

calls! { COMPUTE "/compute/v1/projects/{project}/" Items::One;
    GET_ZONE_OPERATION = "compute.zoneOperations.get" "";
    GET_REGION_OPERATION = "compute.regionOperations.get" "";
    GET_GLOBAL_OPERATION = "compute.globalOperations.get" "";
    INSERT_INSTANCE = "compute.instances.insert" "/instances";
    DELETE_INSTANCE = "compute.instances.delete" "";
    START_INSTANCE = "compute.instances.start" "/start";
    STOP_INSTANCE = "compute.instances.stop" "/stop";
    RESET_INSTANCE = "compute.instances.reset" "/reset";
    SET_MACHINE_TYPE = "compute.instances.setMachineType" "/setMachineType";
    LABEL_INSTANCE = "compute.instances.setLabels" "/setLabels";
    ATTACH_DISK = "compute.instances.attachDisk" "/attachDisk";
    DETACH_DISK = "compute.instances.detachDisk" "/detachDisk";
    INSERT_DISK = "compute.disks.insert" "/disks";
    DELETE_DISK = "compute.disks.delete" "";
    RESIZE_DISK = "compute.disks.resize" "/resize";
    LABEL_DISK = "compute.disks.setLabels" "/setLabels";
    INSERT_SNAPSHOT = "compute.snapshots.insert" "/snapshots";
    DELETE_SNAPSHOT = "compute.snapshots.delete" "";
    LABEL_SNAPSHOT = "compute.snapshots.setLabels" "/setLabels";
    INSERT_IMAGE = "compute.images.insert" "/images";
    DELETE_IMAGE = "compute.images.delete" "";
    LABEL_IMAGE = "compute.images.setLabels" "/setLabels";
    LABEL_ADDRESS = "compute.addresses.setLabels" "/setLabels";
    LABEL_FORWARDING_RULE = "compute.forwardingRules.setLabels" "/setLabels";
    GET_TEMPLATE = "compute.instanceTemplates.get" "";
    INSERT_TEMPLATE = "compute.instanceTemplates.insert" "/instanceTemplates";
    DELETE_TEMPLATE = "compute.instanceTemplates.delete" "";
    INSERT_GROUP = "compute.instanceGroupManagers.insert" "/instanceGroupManagers";
    RESIZE_GROUP = "compute.instanceGroupManagers.resize" "/resize";
    DELETE_GROUP = "compute.instanceGroupManagers.delete" "";
    INSERT_AUTOSCALER = "compute.autoscalers.insert" "/autoscalers";
    PATCH_AUTOSCALER = "compute.autoscalers.patch" "/autoscalers";
    DELETE_AUTOSCALER = "compute.autoscalers.delete" "";
    ADD_TARGET = "compute.targetPools.addInstance" "/addInstance";
    REMOVE_TARGET = "compute.targetPools.removeInstance" "/removeInstance";
}

calls! { COMPUTE "/compute/v1/projects/{project}/" Items::List("items");
    LIST_ZONE_OPERATIONS = "compute.zoneOperations.list" "/operations";
    LIST_REGION_OPERATIONS = "compute.regionOperations.list" "/operations";
    LIST_GLOBAL_OPERATIONS = "compute.globalOperations.list" "/operations";
    LIST_AUTOSCALERS = "compute.autoscalers.list" "/autoscalers";
}

calls! { SQL "/v1/projects/{project}/" Items::One;
    GET_SQL_OPERATION = "sql.operations.get" "";
    INSERT_DATABASE = "sql.instances.insert" "";
    PATCH_DATABASE = "sql.instances.patch" "";
    CLONE_DATABASE = "sql.instances.clone" "/clone";
    RESTORE_BACKUP = "sql.instances.restoreBackup" "/restoreBackup";
    PROMOTE_REPLICA = "sql.instances.promoteReplica" "/promoteReplica";
    DELETE_DATABASE = "sql.instances.delete" "";
    INSERT_BACKUP = "sql.backupRuns.insert" "/backupRuns";
    DELETE_BACKUP = "sql.backupRuns.delete" "";
}

calls! { SQL "/v1/projects/{project}/" Items::List("items");
    LIST_SQL_OPERATIONS = "sql.operations.list" "operations";
}

calls! { STORAGE "/storage/v1/b" Items::One;
    INSERT_BUCKET = "storage.buckets.insert" "";
    PATCH_BUCKET = "storage.buckets.patch" "";
    DELETE_BUCKET = "storage.buckets.delete" "";
}

calls! { DNS "/dns/v1/projects/{project}/" Items::One;
    GET_CHANGE = "dns.changes.get" "";
    CREATE_CHANGE = "dns.changes.create" "/changes";
    PATCH_ZONE = "dns.managedZones.patch" "";
}

calls! { DNS "/dns/v1/projects/{project}/" Items::List("rrsets");
    LIST_RECORDS = "dns.resourceRecordSets.list" "/rrsets";
}

calls! { DNS "/dns/v1/projects/{project}/" Items::List("changes");
    LIST_CHANGES = "dns.changes.list" "/changes";
}
