//! The command `seed`: inserts made-up companies for trying out the registry. Their CNPJs have the
//! right check digits, and they are the same each time.

use piton::chrono::Utc;
use piton::clap::{Arg, value_parser};
use piton::prelude::*;

use crate::apis::COMPANIES;
use crate::converters::{Cnpj, State};
use crate::models::{Company, NewCompany, Partner};
use crate::repositories::companies;
use crate::services::register::RegisteredCompany;

const FAMILY_NAMES: [&str; 24] = [
    "Silva",
    "Souza",
    "Oliveira",
    "Araújo",
    "Pereira",
    "Lima",
    "Gonçalves",
    "Ribeiro",
    "Carvalho",
    "Almeida",
    "Conceição",
    "Moreira",
    "Teixeira",
    "Magalhães",
    "Brandão",
    "Nogueira",
    "Antunes",
    "Figueirêdo",
    "Simões",
    "Bragança",
    "Fontes",
    "Queiroz",
    "Assunção",
    "Valença",
];
const GIVEN_NAMES: [&str; 16] = [
    "Ana", "João", "Márcia", "Antônio", "Luís", "Cecília", "Caio", "Helena", "José", "Inês",
    "Otávio", "Lúcia", "Tomás", "Beatriz", "Raul", "Íris",
];
const TRADES: [&str; 20] = [
    "Padaria",
    "Transportes",
    "Construções",
    "Comércio de Café",
    "Tecnologia",
    "Farmácia",
    "Móveis",
    "Metalúrgica",
    "Laticínios",
    "Confecções",
    "Gráfica",
    "Hotelaria",
    "Agropecuária",
    "Auto Peças",
    "Ótica",
    "Pescados",
    "Vinícola",
    "Engenharia",
    "Papelaria",
    "Energia Solar",
];
const LEGAL_FORMS: [&str; 4] = ["Ltda", "S.A.", "ME", "EIRELI"];

/// The states of made-up companies. The more people live in a state, the more often it is listed.
const STATES: [State; 20] = [
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Mg,
    State::Mg,
    State::Rj,
    State::Rj,
    State::Pr,
    State::Rs,
    State::Sc,
    State::Ba,
    State::Go,
    State::Pe,
    State::Ce,
    State::Df,
    State::Es,
    State::Pa,
];

/// Maximum number of companies. They are written in one transaction, which must be shorter than
/// `db.busy_timeout`, because a running service waits for its end.
const MAX_COUNT: i64 = 10_000;

/// Returns the command `seed`.
#[must_use]
pub fn command() -> Command {
    Command::new("seed", "Register made-up companies, for trying out the service")
        .needs::<Db>()
        .needs::<Cache>()
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..=MAX_COUNT))
                .default_value("300")
                .help("The number of companies; existing ones are not changed"),
        )
        .run(|app, arguments| async move {
            let count = *arguments.get_one::<u32>("count").expect("it has a default");
            let db = app.db();
            let work = async move { seed(&db, count).await };
            let inserted = app.cache().invalidating([COMPANIES], work).await?;
            let existing = count - inserted;
            println!("Registered {inserted} companies; {existing} existed already.");
            println!("To see them, start `registry`, then");
            println!("  curl 'http://127.0.0.1:5000/api/companies?state=SP&q=cafe'");
            Ok::<_, Error>(())
        })
}

/// Inserts `count` companies in one transaction, and returns how many of them were new.
///
/// # Errors
/// Those of the database. No company was inserted then.
pub async fn seed(db: &Db, count: u32) -> Result<u32> {
    let mut tx = db.begin().await?;
    let mut inserted = 0;
    for number in 0..count {
        let company = company(number);
        let known: Option<i64> =
            tx.one("SELECT revision FROM companies WHERE cnpj = $1", (company.cnpj,)).await?;
        if known.is_none() {
            companies::insert_in(&mut tx, &company).await?;
            inserted += 1;
        }
    }
    tx.commit().await?;
    Ok(inserted)
}

/// Returns the made-up company with this number, which is always the same.
fn company(number: u32) -> Company {
    let mut random = SeededRandom(u64::from(number) + 1);
    let family = random.one_of(&FAMILY_NAMES);
    let partners = (0..random.below(4)).map(|_| partner(&mut random)).collect::<Vec<_>>();
    let name = format!("{} {} {}", random.one_of(&TRADES), family, random.one_of(&LEGAL_FORMS));
    let new = NewCompany {
        cnpj: cnpj(number, &mut random),
        name,
        state: random.one_of(&STATES),
        partners: (!partners.is_empty()).then_some(partners),
    };
    new.into_company(Utc::now())
}

/// Returns the made-up register entry of a CNPJ, which is always the same; `None` for one CNPJ in
/// ten.
#[must_use]
pub fn made_up_register_entry(cnpj: Cnpj) -> Option<RegisteredCompany> {
    let number = cnpj
        .as_str()
        .bytes()
        .fold(0, |number: u64, byte| number.wrapping_mul(37).wrapping_add(u64::from(byte)));
    let mut random = SeededRandom(number);
    if random.below(10) == 0 {
        return None;
    }
    let (trade, family) = (random.one_of(&TRADES), random.one_of(&FAMILY_NAMES));
    let partners = (0..random.below(4)).map(|_| partner(&mut random).name).collect();
    Some(RegisteredCompany {
        cnpj,
        name: format!("{trade} {family} {}", random.one_of(&LEGAL_FORMS)),
        trade_name: (random.below(2) == 0).then(|| format!("{trade} {family}")),
        state: Some(random.one_of(&STATES)),
        standing: Some("ATIVA".to_owned()),
        partners,
    })
}

fn partner(random: &mut SeededRandom) -> Partner {
    let name = format!("{} {}", random.one_of(&GIVEN_NAMES), random.one_of(&FAMILY_NAMES));
    Partner { name, cpf: None, share: None }
}

/// Returns a CNPJ that contains `number`, so that no two are equal. One in five has letters, as those
/// issued since July 2026 have.
fn cnpj(number: u32, random: &mut SeededRandom) -> Cnpj {
    let mut base = *b"000000000001";
    for (place, digit) in format!("{number:06}").bytes().enumerate() {
        base[place + 2] = digit;
    }
    base[0] = b'1' + u8::try_from(random.below(9)).expect("below nine");
    if number % 5 == 4 {
        base[1] = b'A' + u8::try_from(random.below(26)).expect("below 26");
    }
    Cnpj::from_base(base).expect("digits and capital letters, not all alike")
}

/// A random generator whose numbers are the same each time: a linear congruential generator (Knuth's
/// MMIX constants). By hand, because a crate's generator may change with its version.
struct SeededRandom(u64);

impl SeededRandom {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let limit = u64::try_from(limit).expect("a small number");
        usize::try_from((self.0 >> 33) % limit).expect("below a small number")
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn companies_are_distinct_and_reproducible() {
        let numbers: HashSet<Cnpj> = (0..1000).map(|number| company(number).cnpj).collect();
        assert_eq!(numbers.len(), 1000);
        assert_eq!(company(7).name, company(7).name);
        assert!(
            numbers.iter().any(|cnpj| cnpj.as_str().contains(|c: char| c.is_ascii_uppercase()))
        );
    }
}
