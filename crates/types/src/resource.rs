//! What can exist in a cloud, in words that are the same whatever the vendor.

crate::words! {
    /// What a resource is. The vendor's own word for it stays in the resource's raw attributes.
    pub enum ResourceKind {
        /// A virtual machine.
        ComputeInstance = "compute_instance",
        /// A block device that can be attached to an instance.
        Disk = "disk",
        /// A point-in-time copy of a disk.
        Snapshot = "snapshot",
        /// What an instance is started from.
        Image = "image",
        /// A private network (VPC, virtual network).
        Network = "network",
        /// An address range of a network.
        Subnet = "subnet",
        /// A set of firewall rules.
        SecurityGroup = "security_group",
        /// A reserved public address.
        PublicIp = "public_ip",
        /// Spreads traffic over targets.
        LoadBalancer = "load_balancer",
        /// What a load balancer sends traffic to.
        TargetGroup = "target_group",
        /// A group of instances with a minimum, a wish and a maximum.
        ScalingGroup = "scaling_group",
        /// A managed database server.
        Database = "database",
        /// Database servers that share their storage.
        DatabaseCluster = "database_cluster",
        /// A point-in-time copy of a managed database.
        DatabaseSnapshot = "database_snapshot",
        /// A container of objects.
        Bucket = "bucket",
        /// The records of one domain name.
        DnsZone = "dns_zone",
    }
}

crate::words! {
    /// The normalised state of a resource; the vendor's own word stands beside it as `native_state`.
    pub enum ResourceState {
        /// Being made, or being started.
        Pending = "pending",
        /// An instance or database that serves.
        Running = "running",
        /// On its way to `stopped`.
        Stopping = "stopping",
        /// Kept, but not serving.
        Stopped = "stopped",
        /// Being changed while it exists (resize, backup, maintenance).
        Updating = "updating",
        /// Exists and can be used; for kinds that do not run.
        Available = "available",
        /// Attached or associated with something.
        InUse = "in_use",
        /// On its way out.
        Deleting = "deleting",
        /// Gone, but still listed by the vendor for a while.
        Deleted = "deleted",
        /// The vendor says that it is broken.
        Failed = "failed",
        /// The vendor gave a state that Marquee has no word for; see `native_state`.
        Unknown = "unknown",
    }
}

crate::words! {
    /// How one resource stands to another; read "`from` relation `to`".
    pub enum Relation {
        /// A disk or address is attached to an instance.
        AttachedTo = "attached_to",
        /// Lies inside a network, subnet, group or cluster.
        MemberOf = "member_of",
        /// Is protected by a security group.
        ProtectedBy = "protected_by",
        /// Was made from a disk, image or snapshot.
        CreatedFrom = "created_from",
        /// Starts and stops: a scaling group its instances.
        Manages = "manages",
        /// Sends traffic to.
        RoutesTo = "routes_to",
        /// Repeats the data of.
        ReplicaOf = "replica_of",
    }
}
