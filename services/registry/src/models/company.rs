//! A company, and the forms in which it comes in.

use garde::Validate;
use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::prelude::*;
use serde::Deserializer;

use crate::converters::{Cnpj, State};

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

/// Somebody who holds a part of a company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// Their name.
    #[garde(custom(is_a_name))]
    #[schemars(length(min = 1, max = 200), extend("format" = "name"), example = &"Ana Souza")]
    #[serde(deserialize_with = "trimmed")]
    pub name: String,
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
    #[schemars(length(min = 1, max = 200), extend("format" = "name"), example = &"Padaria Souza Ltda")]
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
    #[schemars(length(min = 1, max = 200), extend("format" = "name"), example = &"Padaria Souza Ltda")]
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
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 200), extend("format" = "name"), example = &"Padaria Souza & Filhos Ltda")]
    pub name: Option<String>,
    /// Another state.
    #[garde(skip)]
    #[serde(deserialize_with = "given")]
    #[schemars(with = "State")]
    pub state: Option<State>,
    /// Other partners; `null` says that they are not known.
    #[garde(length(max = 100), dive)]
    #[serde(deserialize_with = "given")]
    pub partners: Option<Option<Vec<Partner>>>,
}

/// A member that is there, be it `null`: for those that cannot be null, `null` is a wrong type.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| text.trim().to_owned())
}

/// At most 200 characters, one of them a letter or a digit, none of them a control character.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn is_a_name(name: &str, _: &()) -> garde::Result {
    let length = name.trim().chars().count();
    if length == 0 {
        return Err(garde::Error::new("a name must not be blank"));
    }
    if length > 200 {
        return Err(garde::Error::new("a name has at most 200 characters"));
    }
    // Some characters are not white space and show nothing all the same, such as U+200B.
    if !name.chars().any(char::is_alphanumeric) {
        return Err(garde::Error::new("a name has a letter or a digit"));
    }
    if name.trim().chars().any(char::is_control) {
        return Err(garde::Error::new("a name has no control characters"));
    }
    Ok(())
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
            partners: self.partners,
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
            partners: self.partners,
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
            partners: self.partners.unwrap_or_else(|| company.partners.clone()),
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

    #[test]
    fn a_name_is_neither_blank_nor_endless_nor_controls_anything() {
        assert!(is_a_name("Café São João", &()).is_ok());
        for wrong in ["", "  \t", "\u{200b}", "--", "a\u{7}b", &"x".repeat(201)] {
            assert!(is_a_name(wrong, &()).is_err(), "{wrong:?}");
        }
    }
}
