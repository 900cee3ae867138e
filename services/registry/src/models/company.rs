//! A company, and the forms in which it comes in.

use garde::Validate;
use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::http::ETag;
use piton::prelude::*;
use serde::Deserializer;

use super::name::{MOST, is_a_name, name_pattern};
use crate::converters::{Cnpj, Cpf, State};

/// A company as it is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, FromRow)]
pub struct Company {
    /// Its number.
    pub cnpj: Cnpj,
    /// Its name.
    pub name: String,
    /// Where it is registered.
    pub state: State,
    /// Who holds it, where that is known.
    #[row(json)]
    pub partners: Option<Vec<Partner>>,
    /// How often it was written; 1 for a company that was never changed.
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

impl Company {
    /// Returns the entity tag of this version. The time stands in it too, so that a database restored from a
    /// backup does not give the same tag to another version.
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag::strong(format_args!("{}-{:x}", self.revision, self.updated_at.timestamp_micros()))
    }
}

/// Somebody who holds a part of a company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// Their name.
    #[garde(custom(is_a_name))]
    #[schemars(length(min = 1, max = MOST), regex(pattern = name_pattern()), example = &"Ana Souza")]
    pub name: String,
    /// Their own number, where it is known.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpf: Option<Cpf>,
    /// Their share in percent, where it is known.
    #[garde(range(min = 0.0, max = 100.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// A company to register.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewCompany {
    /// Its number.
    #[garde(skip)]
    pub cnpj: Cnpj,
    /// Its name.
    #[garde(custom(is_a_name))]
    #[schemars(length(min = 1, max = MOST), regex(pattern = name_pattern()), example = &"Padaria Souza Ltda")]
    pub name: String,
    /// Where it is registered.
    #[garde(skip)]
    pub state: State,
    /// Who holds it, where that is known.
    #[garde(length(max = 100), dive)]
    #[serde(default)]
    pub partners: Option<Vec<Partner>>,
}

/// All of a company that can change: what `PUT` writes.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct CompanyFields {
    /// The number; where given, that of the path.
    #[garde(skip)]
    #[serde(default)]
    pub cnpj: Option<Cnpj>,
    /// The name.
    #[garde(custom(is_a_name))]
    #[schemars(length(min = 1, max = MOST), regex(pattern = name_pattern()), example = &"Padaria Souza Ltda")]
    pub name: String,
    /// Where it is registered.
    #[garde(skip)]
    pub state: State,
    /// Who holds it, where that is known.
    #[garde(length(max = 100), dive)]
    #[serde(default)]
    pub partners: Option<Vec<Partner>>,
}

/// Some of what can change: what `PATCH` writes. What is not given stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct CompanyPatch {
    /// Another name.
    #[garde(inner(custom(is_a_name)))]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = MOST), regex(pattern = name_pattern()), example = &"Padaria Souza & Filhos Ltda")]
    pub name: Option<String>,
    /// Another state.
    #[garde(skip)]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "State")]
    pub state: Option<State>,
    /// Other partners; `null` says that they are not known.
    #[garde(length(max = 100), dive)]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Partner>>")]
    pub partners: Option<Option<Vec<Partner>>>,
}

/// A member that is there, be it `null`: for those that cannot be null, `null` is a wrong type.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The partners with nothing blank around their names.
fn tidy(partners: Option<Vec<Partner>>) -> Option<Vec<Partner>> {
    let tidy = |partner: Partner| Partner { name: partner.name.trim().to_owned(), ..partner };
    partners.map(|partners| partners.into_iter().map(tidy).collect())
}

impl NewCompany {
    /// The company as it is registered `now`, which is kept to the microsecond, as the database
    /// keeps it: what the history shows is what was there.
    #[must_use]
    pub fn registered(self, now: DateTime<Utc>) -> Company {
        let now = now.trunc_subsecs(6);
        Company {
            cnpj: self.cnpj,
            name: self.name.trim().to_owned(),
            state: self.state,
            partners: tidy(self.partners),
            revision: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

impl CompanyFields {
    /// The company with all of this.
    #[must_use]
    pub fn replacing(self, company: &Company) -> Company {
        Company {
            name: self.name.trim().to_owned(),
            state: self.state,
            partners: tidy(self.partners),
            ..company.clone()
        }
    }
}

impl CompanyPatch {
    /// The company with what is given.
    #[must_use]
    pub fn changing(self, company: &Company) -> Company {
        Company {
            name: self.name.map_or_else(|| company.name.clone(), |name| name.trim().to_owned()),
            state: self.state.unwrap_or(company.state),
            partners: self.partners.map_or_else(|| company.partners.clone(), tidy),
            ..company.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use piton::serde_json;

    use super::*;

    #[test]
    fn a_patch_tells_null_from_nothing() {
        let patch = |text| serde_json::from_str::<CompanyPatch>(text);
        assert_eq!(patch("{}").unwrap().partners, None);
        assert_eq!(patch(r#"{"partners":null}"#).unwrap().partners, Some(None));
        assert!(patch(r#"{"name":null}"#).is_err());
        assert!(patch(r#"{"nmae":"x"}"#).is_err());
    }
}
