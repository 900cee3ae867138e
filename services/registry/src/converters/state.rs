//! The states of Brazil, by their two letters.

use std::fmt;
use std::str::FromStr;

use piton::convert;

/// Declares the states once, for the enum and the lists of them.
macro_rules! states {
    ($($state:ident $name:literal)*) => {
        /// A state of Brazil, or its federal district.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum State {
            $(#[doc = $name] $state,)*
        }

        impl State {
            /// All states, in the order of their letters.
            pub const ALL: [Self; 27] = [$(Self::$state),*];

            /// The two letters of each, which are parsed in any case.
            const LETTERS: [&str; 27] = [$(stringify!($state)),*];

            /// Returns the state's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$state => $name),* }
            }
        }
    };
}

states! {
    Ac "Acre" Al "Alagoas" Am "Amazonas" Ap "Amapá" Ba "Bahia" Ce "Ceará" Df "Distrito Federal"
    Es "Espírito Santo" Go "Goiás" Ma "Maranhão" Mg "Minas Gerais" Ms "Mato Grosso do Sul"
    Mt "Mato Grosso" Pa "Pará" Pb "Paraíba" Pe "Pernambuco" Pi "Piauí" Pr "Paraná"
    Rj "Rio de Janeiro" Rn "Rio Grande do Norte" Ro "Rondônia" Rr "Roraima" Rs "Rio Grande do Sul"
    Sc "Santa Catarina" Se "Sergipe" Sp "São Paulo" To "Tocantins"
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::LETTERS[*self as usize]
            .chars()
            .try_for_each(|c| write!(f, "{}", c.to_ascii_uppercase()))
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::LETTERS.iter().position(|letters| letters.eq_ignore_ascii_case(text));
        known.map(|place| Self::ALL[place]).ok_or_else(|| {
            let all: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
            format!("a state is one of {}", all.join(", "))
        })
    }
}

piton::converter!(State:
    format = "uf",
    description = "a state of Brazil by its two letters",
    pattern = convert::case_insensitive_pattern(State::LETTERS),
    example = "SP", "RJ",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_parsed_as_it_is_displayed() {
        for state in State::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
            assert_eq!(state.to_string().to_lowercase().parse(), Ok(state));
        }
        assert_eq!(State::Sp.name(), "São Paulo");
    }

    #[test]
    fn an_unknown_state_is_refused_with_the_list() {
        assert!("XX".parse::<State>().unwrap_err().contains("SC, SE, SP, TO"));
    }
}
