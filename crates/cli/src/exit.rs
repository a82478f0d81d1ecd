//! The exit codes, which scripts build on: they do not change their meaning.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It failed for a reason that has no code of its own.
    Failure,
    /// The command line itself is wrong.
    Usage,
    /// The server does not know who asks.
    NotAuthenticated,
    /// The server knows who asks and refuses.
    Forbidden,
    /// There is no such thing, or it is not visible.
    NotFound,
    /// It conflicts with what is there.
    Conflict,
    /// The server refuses the input.
    Invalid,
    /// The cloud failed.
    CloudFailed,
    /// Not now.
    Unavailable,
    /// An operation was waited for and did not succeed.
    OperationFailed,
    /// An operation was waited for and succeeded in part.
    OperationPartial,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Invalid,
        Self::CloudFailed,
        Self::Unavailable,
        Self::OperationFailed,
        Self::OperationPartial,
        Self::Interrupted,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotAuthenticated => 3,
            Self::Forbidden => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Invalid => 7,
            Self::CloudFailed => 8,
            Self::Unavailable => 9,
            Self::OperationFailed => 10,
            Self::OperationPartial => 11,
            Self::Interrupted => 130,
        }
    }

    /// What it means, in a line.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "it worked",
            Self::Failure => "it failed for a reason that has no code of its own",
            Self::Usage => {
                "the command line is wrong: an unknown flag, a missing argument, an unreadable file"
            }
            Self::NotAuthenticated => "not logged in, or the session or key is no longer valid (401)",
            Self::Forbidden => "logged in, but not permitted (403)",
            Self::NotFound => "no such thing, or none that you may see (404)",
            Self::Conflict => {
                "it conflicts with what is there, was changed meanwhile, or is frozen (409, 412, 423)"
            }
            Self::Invalid => "the server refuses the input (400, 413, 415, 422)",
            Self::CloudFailed => {
                "the cloud failed or refused (502, 504, a connection test that did not pass)"
            }
            Self::Unavailable => "the server cannot be reached, is unavailable or limits you (408, 429, 503)",
            Self::OperationFailed => "the operation that was waited for failed, was undone or was cancelled",
            Self::OperationPartial => "the operation that was waited for succeeded in part",
            Self::Interrupted => "interrupted by Ctrl-C; an operation that was started goes on",
        }
    }

    /// The code for a refusal with this HTTP status.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::NotAuthenticated,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            409 | 412 | 423 | 428 => Self::Conflict,
            400 | 413 | 415 | 422 => Self::Invalid,
            502 | 504 => Self::CloudFailed,
            408 | 429 | 503 => Self::Unavailable,
            _ => Self::Failure,
        }
    }

    /// The table, as `marquee help exit-codes` shows it.
    pub fn table() -> String {
        Self::ALL
            .iter()
            .fold(String::new(), |table, exit| table + &format!("{:>4}  {}\n", exit.code(), exit.meaning()))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
