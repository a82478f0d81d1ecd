//! What the connectors of all adapters do alike: a vendor says how its connections are read and opened, and is a
//! [`Connector`] by that.

use std::sync::Arc;

use marquee_types::FieldError;
use serde_json::Value;

use crate::{
    Capabilities, Cloud, Connection, Connector, CredentialError, PermissionGroup, PolicyDocument,
    PolicyFormat, PolicyRequest, ServerRules,
};

/// A connection that passed every check that needs no IO.
pub trait ConnectionConfig: Sized {
    /// The settings that hold another endpoint.
    const ENDPOINTS: &'static [&'static str];

    /// Reads a connection and holds it against what this server allows.
    fn read(connection: &Connection, rules: &ServerRules) -> Result<Self, CredentialError>;

    /// Reads a connection that was accepted before, whatever is allowed now.
    fn read_any(connection: &Connection) -> Result<Self, CredentialError> {
        let named = |name: &&str| connection.settings.get(name).and_then(Value::as_str).map(str::to_owned);
        let rules = ServerRules {
            allowed_endpoints: Self::ENDPOINTS.iter().filter_map(named).collect(),
            allow_loopback_endpoints: true,
            allow_ambient_credentials: true,
        };
        Self::read(connection, &rules)
    }

    /// What the credentials are bound to; see [`Connector::binding`].
    fn binding(&self) -> Value;

    /// What may be shown of the credentials; see [`Connector::describe_credentials`].
    fn describe_credentials(&self) -> Value;
}

/// One vendor's way to a cloud. Every adapter is a [`Connector`].
pub trait Adapter: Send + Sync {
    /// See [`Connector::kind`].
    const KIND: &'static str;
    /// See [`Connector::title`].
    const TITLE: &'static str;
    /// See [`Connector::capabilities`].
    const CAPABILITIES: &'static Capabilities;

    /// See [`Connector::optional_permissions`].
    const OPTIONAL_PERMISSIONS: &'static [PermissionGroup] = &[];

    /// How its connections are read.
    type Config: ConnectionConfig;

    /// See [`Connector::policy`]; left out where credentials have no policies.
    fn policy(request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
        request.refuse_subscription()?;
        request.format_of(&[PolicyFormat::Text])?;
        Ok(PolicyDocument::none(Self::TITLE))
    }

    /// See [`Connector::credentials_schema`].
    fn credentials_schema() -> Value;

    /// See [`Connector::settings_schema`].
    fn settings_schema() -> Value;

    /// A cloud that answers with these credentials. No IO.
    fn open(&self, config: Self::Config) -> Result<Arc<dyn Cloud>, CredentialError>;
}

impl<A: Adapter> Connector for A {
    fn kind(&self) -> &'static str {
        A::KIND
    }

    fn title(&self) -> &'static str {
        A::TITLE
    }

    fn capabilities(&self) -> &'static Capabilities {
        A::CAPABILITIES
    }

    fn optional_permissions(&self) -> &'static [PermissionGroup] {
        A::OPTIONAL_PERMISSIONS
    }

    fn policy(&self, request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
        A::policy(request)
    }

    fn credentials_schema(&self) -> Value {
        A::credentials_schema()
    }

    fn settings_schema(&self) -> Value {
        A::settings_schema()
    }

    fn check(&self, connection: &Connection, rules: &ServerRules) -> Result<(), CredentialError> {
        A::Config::read(connection, rules).map(|_| ())
    }

    fn binding(&self, connection: &Connection) -> Result<Value, CredentialError> {
        // What is bound does not depend on what the server allows today.
        Ok(A::Config::read_any(connection)?.binding())
    }

    fn describe_credentials(&self, connection: &Connection) -> Result<Value, CredentialError> {
        Ok(A::Config::read_any(connection)?.describe_credentials())
    }

    fn connect(
        &self,
        connection: &Connection,
        rules: &ServerRules,
    ) -> Result<Arc<dyn Cloud>, CredentialError> {
        self.open(A::Config::read(connection, rules)?)
    }
}
