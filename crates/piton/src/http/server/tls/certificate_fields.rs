//! The fields of a certificate (RFC 5280) that piton reads: names, serial number and validity.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::der::{Der, DerValue, tag};

/// The object identifier of the attribute `commonName`, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The object identifier of the extension `subjectAltName`, 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// Tags of a `GeneralName` that are text: email address, DNS name and URI.
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;

/// The fields of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CertificateFields {
    /// The serial number, in hexadecimal.
    pub serial: String,
    pub common_name: Option<String>,
    pub dns_names: Vec<String>,
    pub emails: Vec<String>,
    pub uris: Vec<String>,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

impl CertificateFields {
    /// Reads the fields of a certificate in DER. `None` if it is not a certificate of X.509.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut body = Der(der).expect(tag::SEQUENCE)?.expect(tag::SEQUENCE)?;
        body.optional(tag::CONTEXT_0);
        let serial = hex(body.expect(tag::INTEGER)?.0);
        let _algorithm = body.expect(tag::SEQUENCE)?;
        let _issuer = body.expect(tag::SEQUENCE)?;
        let mut validity = body.expect(tag::SEQUENCE)?;
        let subject = body.expect(tag::SEQUENCE)?;
        let mut fields = Self {
            serial,
            common_name: common_name(subject),
            not_before: time(validity.next()?)?,
            not_after: time(validity.next()?)?,
            ..Self::default()
        };
        let _public_key = body.expect(tag::SEQUENCE)?;
        if let Some(extensions) = body.find(|value| value.tag == tag::CONTEXT_3) {
            fields.read_extensions(Der(extensions.content).expect(tag::SEQUENCE)?);
        }
        Some(fields)
    }

    fn read_extensions(&mut self, extensions: Der<'_>) {
        for extension in extensions {
            let mut parts = Der(extension.content);
            let is_names =
                parts.next().is_some_and(|identifier| identifier.content == SUBJECT_ALT_NAME);
            // The value follows an optional flag.
            let value = parts.find(|part| part.tag == tag::OCTET_STRING);
            let names = value.and_then(|value| Der(value.content).expect(tag::SEQUENCE));
            if is_names && let Some(names) = names {
                names.for_each(|name| self.add_name(name));
            }
        }
    }

    fn add_name(&mut self, name: DerValue<'_>) {
        let list = match name.tag {
            EMAIL => &mut self.emails,
            DNS => &mut self.dns_names,
            URI => &mut self.uris,
            _ => return,
        };
        list.extend(std::str::from_utf8(name.content).ok().map(str::to_owned));
    }
}

/// Returns the last common name of a subject, which is the most specific one.
fn common_name(subject: Der<'_>) -> Option<String> {
    let sets = subject.filter(|set| set.tag == tag::SET);
    let attributes = sets.flat_map(|set| Der(set.content));
    let names = attributes.filter_map(|attribute| {
        let mut parts = Der(attribute.content);
        let identifier = parts.expect(tag::OBJECT_IDENTIFIER)?;
        (identifier.0 == COMMON_NAME).then(|| parts.next())?
    });
    names.last().and_then(text)
}

/// Returns the text of a string. All kinds but `BMPString` are UTF-8 or a part of it in practice.
fn text(value: DerValue<'_>) -> Option<String> {
    if value.tag != tag::BMP_STRING {
        return String::from_utf8(value.content.to_vec()).ok();
    }
    let units: Vec<u16> =
        value.content.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16(&units).ok()
}

/// Returns a time of RFC 5280, section 4.1.2.5: always UTC, always with seconds.
fn time(value: DerValue<'_>) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(value.content).ok()?;
    let full = match value.tag {
        tag::GENERALIZED_TIME => text.to_owned(),
        tag::UTC_TIME => {
            let year: u32 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { "20" } else { "19" })
        }
        _ => return None,
    };
    NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok().map(|time| time.and_utc())
}

/// Returns bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// Returns the certificate that openssl signs with these arguments.
    fn certificate(arguments: &[&str]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let base = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem";
        let output = Command::new("openssl")
            .args(base.split(' '))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap().to_vec()
    }

    #[test]
    fn names_and_validity_of_a_certificate_are_read() {
        let names = "subjectAltName=DNS:a.test,DNS:b.test,email:me@a.test,URI:spiffe://a/b";
        let der = certificate(&[
            "-set_serial",
            "0x1234",
            "-subj",
            "/O=Old/CN=Zoë/CN=worker",
            "-utf8",
            "-addext",
            names,
            "-days",
            "3",
        ]);
        let fields = CertificateFields::parse(&der).unwrap();
        assert_eq!(fields.serial, "1234");
        assert_eq!(fields.common_name.as_deref(), Some("worker"));
        assert_eq!(fields.dns_names, ["a.test", "b.test"]);
        assert_eq!(fields.emails, ["me@a.test"]);
        assert_eq!(fields.uris, ["spiffe://a/b"]);
        let valid = fields.not_after - fields.not_before;
        assert_eq!(valid.num_days(), 3);
        assert!((Utc::now() - fields.not_before).num_seconds().abs() < 60);
    }

    #[test]
    fn a_certificate_beyond_2049_and_without_names_is_read() {
        let der = certificate(&["-subj", "/O=Only", "-days", "20000"]);
        let fields = CertificateFields::parse(&der).unwrap();
        assert_eq!(fields.common_name, None);
        assert!(fields.not_after.format("%Y").to_string().as_str() > "2070");
    }

    #[test]
    fn what_is_cut_off_is_no_certificate_and_no_panic() {
        let der = certificate(&["-subj", "/CN=x"]);
        for length in 0..der.len() {
            assert_eq!(CertificateFields::parse(&der[..length]), None, "{length}");
        }
    }
}
