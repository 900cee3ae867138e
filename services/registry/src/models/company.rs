//! A company, and the bodies that create and change it.

use garde::Validate;
use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::http::ETag;
use piton::prelude::*;
use serde::Deserializer;

use super::name_rules::{MAX_NAME_LENGTH, name_pattern, validate_name};
use crate::converters::{Cnpj, Cpf, State};

/// A registered company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, FromRow)]
pub struct Company {
    /// The company's CNPJ.
    pub cnpj: Cnpj,
    /// The company's name.
    pub name: String,
    /// The state in which the company is registered.
    pub state: State,
    /// The partners who own the company, if they are known.
    #[row(json)]
    pub partners: Option<Vec<Partner>>,
    /// The number of times it was written; 1 for a company that was never changed.
    pub revision: i64,
    /// The time when it was registered.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

impl Company {
    /// Returns the entity tag of this version. It includes the time, so that a database restored from
    /// a backup does not give the same tag to another version.
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag::strong(format_args!("{}-{:x}", self.revision, self.updated_at.timestamp_micros()))
    }
}

/// A person who owns a part of a company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The partner's name.
    #[garde(custom(validate_name))]
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = name_pattern()), example = &"Ana Souza")]
    pub name: String,
    /// The partner's CPF, if it is known.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpf: Option<Cpf>,
    /// The partner's share in percent, if it is known.
    #[garde(range(min = 0.0, max = 100.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// A company to register.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewCompany {
    /// The company's CNPJ.
    #[garde(skip)]
    pub cnpj: Cnpj,
    /// The company's name.
    #[garde(custom(validate_name))]
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = name_pattern()), example = &"Padaria Souza Ltda")]
    pub name: String,
    /// The state in which the company is registered.
    #[garde(skip)]
    pub state: State,
    /// The partners who own the company, if they are known.
    #[garde(length(max = 100), dive)]
    #[serde(default)]
    pub partners: Option<Vec<Partner>>,
}

/// All fields of a company that can change, as `PUT` writes them.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct CompanyFields {
    /// The CNPJ. If present, it must be that of the path.
    #[garde(skip)]
    #[serde(default)]
    pub cnpj: Option<Cnpj>,
    /// The company's name.
    #[garde(custom(validate_name))]
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = name_pattern()), example = &"Padaria Souza Ltda")]
    pub name: String,
    /// The state in which the company is registered.
    #[garde(skip)]
    pub state: State,
    /// The partners who own the company, if they are known.
    #[garde(length(max = 100), dive)]
    #[serde(default)]
    pub partners: Option<Vec<Partner>>,
}

/// Some fields of a company that can change, as `PATCH` writes them. Absent fields keep their value.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct CompanyPatch {
    /// The new name.
    #[garde(inner(custom(validate_name)))]
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = name_pattern()), example = &"Padaria Souza & Filhos Ltda")]
    pub name: Option<String>,
    /// The new state.
    #[garde(skip)]
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "State")]
    pub state: Option<State>,
    /// The new partners; `null` means that they are not known.
    #[garde(length(max = 100), dive)]
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Partner>>")]
    pub partners: Option<Option<Vec<Partner>>>,
}

/// Deserializes a member that is present, also if it is `null`. For a type that cannot be null,
/// `null` is then a type error instead of an absent member.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Trims the partners' names.
fn trim_names(partners: Option<Vec<Partner>>) -> Option<Vec<Partner>> {
    let trim = |partner: Partner| Partner { name: partner.name.trim().to_owned(), ..partner };
    partners.map(|partners| partners.into_iter().map(trim).collect())
}

impl NewCompany {
    /// Returns the company as registered at `now`, cut to the microsecond because the database stores
    /// no finer times: the response must equal what is read later.
    #[must_use]
    pub fn into_company(self, now: DateTime<Utc>) -> Company {
        let now = now.trunc_subsecs(6);
        Company {
            cnpj: self.cnpj,
            name: self.name.trim().to_owned(),
            state: self.state,
            partners: trim_names(self.partners),
            revision: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

impl CompanyFields {
    /// Returns `company` with all of these fields.
    #[must_use]
    pub fn apply_to(self, company: &Company) -> Company {
        Company {
            name: self.name.trim().to_owned(),
            state: self.state,
            partners: trim_names(self.partners),
            ..company.clone()
        }
    }
}

impl CompanyPatch {
    /// Returns `company` with the fields that are present.
    #[must_use]
    pub fn apply_to(self, company: &Company) -> Company {
        Company {
            name: self.name.map_or_else(|| company.name.clone(), |name| name.trim().to_owned()),
            state: self.state.unwrap_or(company.state),
            partners: self.partners.map_or_else(|| company.partners.clone(), trim_names),
            ..company.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use piton::serde_json;

    use super::*;

    #[test]
    fn a_patch_distinguishes_null_from_an_absent_member() {
        let patch = |text| serde_json::from_str::<CompanyPatch>(text);
        assert_eq!(patch("{}").unwrap().partners, None);
        assert_eq!(patch(r#"{"partners":null}"#).unwrap().partners, Some(None));
        assert!(patch(r#"{"name":null}"#).is_err());
        assert!(patch(r#"{"nmae":"x"}"#).is_err());
    }
}
