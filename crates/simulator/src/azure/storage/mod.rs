//! `Microsoft.Storage`: accounts, their lifecycle policies, and the containers of blobs in them.

pub mod account;
pub mod blobs;
pub mod policy;

/// Accounts.
pub const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
/// The settings of an account's blobs.
pub const SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices";
/// The rules by which an account's blobs go.
pub const POLICY: &str = "Microsoft.Storage/storageAccounts/managementPolicies";
/// Containers.
pub const CONTAINER: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";
