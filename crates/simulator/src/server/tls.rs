//! The certificate that Azure's clients speak to: made when the simulator starts, by an authority of its own that is the
//! same each time.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{keys, seed::Seed};

/// What TLS needs.
pub struct Identity {
    /// PEM of the authority's certificate.
    pub authority: String,
    /// The server's side.
    pub server: Arc<ServerConfig>,
}

impl Identity {
    /// A new authority and a certificate of it for `host` and `localhost`.
    pub fn new(seed: Seed, host: IpAddr) -> Result<Self, String> {
        Self::make(seed, host).map_err(|error| error.to_string())
    }

    fn make(seed: Seed, host: IpAddr) -> Result<Self, Box<dyn std::error::Error>> {
        let mut authority = CertificateParams::new(vec![])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "Marquee simulator");
        // Whoever has this code has its key: it can speak for this machine and for no one else.
        authority.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("localhost".to_owned()),
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
                GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
            ],
            excluded_subtrees: vec![],
        });
        let authority_key = KeyPair::try_from(keys::rsa_pkcs8(seed, "authority")?.as_slice())?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let mut leaf = CertificateParams::new(vec![host.to_string(), "localhost".to_owned()])?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        // Another name than the authority's: a certificate whose subject is its issuer counts as self-signed.
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;

        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority_certificate.pem(), server: Arc::new(server) })
    }
}
