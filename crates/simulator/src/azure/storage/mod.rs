//! `Microsoft.Storage`: accounts, and the containers of blobs in them.

pub mod account;
pub mod blobs;

/// Accounts.
pub const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
/// The settings of an account's blobs.
pub const SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices";
/// Containers.
pub const CONTAINER: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";
