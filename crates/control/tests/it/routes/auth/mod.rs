//! `/api/auth`

mod login;
mod logout;
mod password;
mod tokens;
mod whoami;
