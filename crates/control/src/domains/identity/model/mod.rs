//! The types of identity that cannot be nonsense: names, passwords, tokens, and what each role may do.

pub mod name;
pub mod password;
pub mod policy;
pub mod session;
pub mod token;

pub use name::{DisplayName, Email};
pub use password::Password;
pub use policy::RolePolicies;
pub use token::{Minted, Presented, TokenHash};
